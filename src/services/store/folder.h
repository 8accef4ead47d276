/* The folder of a store: made if it is not there, ours alone, and one process's at a time. */
#ifndef LINNET_SERVICES_STORE_FOLDER_H
#define LINNET_SERVICES_STORE_FOLDER_H

#include <stdbool.h>

enum { FOLDER_PATH_SIZE = 1100 };

struct folder {
        char path[FOLDER_PATH_SIZE];            /* data_dir/store */
        int  lock;                              /* held until folder_leave(); -1: none */
};

/* Takes the lock of `data_dir`/store. Read only: neither makes nor changes anything but the lock. A
 * file that a power cut has left at the very first start goes. False, and `why` is one sentence:
 * another process (its pid), another owner, no such folder. */
bool folder_enter(struct folder *folder, const char *data_dir, bool read_only,
                  char why[static 256]);

/* What was made in it, and it itself, has its name after a power cut. False: `why`. */
bool folder_sync(const struct folder *folder, const char *data_dir, char why[static 256]);

void folder_leave(struct folder *folder);

#endif
