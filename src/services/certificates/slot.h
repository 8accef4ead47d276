/* What one listener has of TLS. Only this service looks inside. */
#ifndef LINNET_SERVICES_CERTIFICATES_SLOT_H
#define LINNET_SERVICES_CERTIFICATES_SLOT_H

#include "base/list.h"
#include "core/shard.h"
#include "net/tls_context.h"

enum { SLOT_NAME_SIZE = 64 };

struct certificates_slot {
        struct certificates      *service;
        struct certificates_slot *older;                /* committed before */
        char                      name[SLOT_NAME_SIZE]; /* "tls:external" */
        struct tls_config         config;
        struct parcel            *enters, *leaves;      /* made before they are needed, for the */
        struct parcel            *tells;                /* reader, and for the first shard */
        struct tls_context       *of_shard[SHARDS_MAX]; /* each shard's own reference */

        /* The reader's. */
        struct list reading;
        uint64_t    stamp;                              /* of the files, before they were read */
        bool        unusable;                           /* an alarm says so */

        /* The first shard's. */
        struct list telling;
        bool        expires;                            /* an alarm says so */
};

#endif
