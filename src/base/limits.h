/* Every bound that is not an option, and what it protects. */
#ifndef LINNET_BASE_LIMITS_H
#define LINNET_BASE_LIMITS_H

#include <assert.h>
#include <stdint.h>

enum {
        SHARDS_MAX             = 128,           /* a route keeps a bit per shard */
        TOPIC_BYTES_MAX        = 65535,         /* MQTT's own; mqtt.max_topic_bytes is an option */
        TOPIC_LEVELS_MAX       = 128,           /* depth of every walk over topics */
        GROUP_NAME_MAX         = 256,           /* bytes of a shared group's name */

        PACKET_BYTES_MAX       = 268435455,     /* what a remaining length can say [MQTT 2.1.4] */
        PACKET_USER_PROPS_MAX  = 1024,          /* user properties in one packet (CVE-2021-41039) */
        SUBSCRIBE_FILTERS_MAX  = 4096,          /* filters in one SUBSCRIBE or UNSUBSCRIBE */
        SUBSCRIPTION_IDS_MAX   = 64,            /* identifiers on one delivery */

        TURN_PARCELS_MAX       = 1024,          /* parcels of mail handled before sockets are */
        TURN_READ_BYTES        = 65536,         /* taken from one client per turn */
        REST_BYTES_MAX         = 262144,        /* kept of who closes behind a packet that waits */
        MAILBOX_BYTES_HIGH     = 8388608,       /* of a shard: above it nobody reads from clients */
        READ_BUFFER_BYTES      = 262144,        /* a shard's one big read buffer */
        OUTPUT_CHUNK_BYTES     = 63 * 64,       /* pieces that output buffers are made of: an odd
                                                 * number of cache lines, or the first of each
                                                 * would meet in one set of the cache */
        OUTPUT_SHORT_CHUNK_BYTES = 15 * 64,     /* the first of an output; likewise */
        OUTPUT_REFERENCE_BYTES = 8192,          /* larger payloads are referenced, not copied */

        RETAINED_BATCH_MAX     = 64,            /* retained messages per reply to a subscriber */
        RETAINED_SLICE_MAX     = 4096,          /* nodes visited before other work gets a turn */

        MEMORY_SLACK_BYTES     = 65536,         /* what a thread may hold unseen by mem_held() */

        LOG_HALF_BYTES         = 524288,        /* lines that wait for the log's writer: twice it */
        LOG_LINE_BYTES_MAX     = 16384,         /* fields that find no room are left out */
        LOG_VALUE_BYTES_MAX    = 1024,          /* of one value, before escaping; the rest is cut */
        LOG_STOP_MS            = 2000,          /* what a stalled terminal can delay the end by */
};

static_assert(SHARDS_MAX % 64 == 0, "routes keep a bit per shard in whole words");
static_assert(LOG_LINE_BYTES_MAX >= 2 * 6 * LOG_VALUE_BYTES_MAX, "any value fits when escaped");
static_assert(OUTPUT_REFERENCE_BYTES > OUTPUT_CHUNK_BYTES, "what is copied fits in few chunks");

#endif
