/* XXH3 over table, key and value: a value that was moved under another key is found out, too. */
#ifndef LINNET_SERVICES_STORE_CHECKSUM_H
#define LINNET_SERVICES_STORE_CHECKSUM_H

#include <stdbool.h>

#include "base/str.h"
#include "services/store/engine.h"

enum { CHECKSUM_SIZE = 8 };

void checksum_write(enum engine_table table, struct str key, struct str value,
                    char to[static CHECKSUM_SIZE]);
bool checksum_fits(enum engine_table table, struct str key, struct str value,
                   const char sum[static CHECKSUM_SIZE]);

#endif
