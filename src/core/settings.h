/* What an operator may set for the core and its clients. The option table (broker/option.tbl.h)
 * has a row for each, with unit, range, default and help. A snapshot is immutable; a reload
 * makes a new one and mails it to every shard. */
#ifndef LINNET_CORE_SETTINGS_H
#define LINNET_CORE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"

enum { SETTINGS_TEXT_MAX = 1024 };

enum mqueue_drop { MQUEUE_DROP_OLDEST, MQUEUE_DROP_NEWEST, MQUEUE_DROP_QOS0_FIRST };
enum clientid_rule { CLIENTID_ANY, CLIENTID_USERNAME, CLIENTID_USERNAME_PREFIX };
enum shared_strategy {
        SHARED_RANDOM, SHARED_ROUND_ROBIN, SHARED_STICKY, SHARED_LOCAL, SHARED_HASH_CLIENTID,
        SHARED_HASH_TOPIC
};

struct settings {
        /* connections */
        uint32_t max_packet_size;               /* bytes */
        uint32_t max_connect_size;              /* bytes of CONNECT */
        uint32_t max_clientid_len;              /* bytes */
        uint32_t max_topic_levels;
        uint32_t max_topic_bytes;
        uint32_t max_user_properties;           /* in one packet */
        uint32_t max_filters;                   /* in one SUBSCRIBE */
        uint32_t max_topic_alias;               /* from clients, per connection */
        uint32_t max_qos;
        uint32_t server_keepalive_s;            /* 0: the client's own */
        uint32_t keepalive_backoff_percent;     /* of the keep alive: 150 */
        uint32_t connect_timeout_ms;            /* from accept to a whole CONNECT */
        uint32_t access_timeout_ms;             /* for an answer of the access chain */
        uint32_t output_high_bytes;             /* above it QoS 0 is dropped, QoS 1/2 wait */
        bool     retain_available;
        bool     wildcard_available;
        bool     shared_available;
        bool     exclusive_available;
        bool     allow_anonymous;               /* from anywhere; loopback may always */
        bool     allow_anonymous_loopback;
        enum clientid_rule clientid_rule;       /* what an authenticated client may call itself */

        /* access rules */
        bool     acl_nomatch_allow;             /* what no rule matches */
        bool     acl_deny_disconnects;          /* a PUBLISH or SUBSCRIBE that is denied */
        bool     acl_revoke_disconnects;        /* a subscription that is no longer allowed */
        bool     acl_check_delivery;            /* messages of subscriptions allowed in part */
        bool     acl_cache;
        uint32_t acl_cache_max;                 /* verdicts of one client */
        uint32_t acl_cache_ttl_ms;
        /* limits */
        uint64_t memory_limit;                  /* bytes; 0: by the share */
        uint32_t memory_share_percent;          /* of the machine's; 0: no limit */
        uint32_t overload_lag_ms;               /* 0: off */
        uint32_t max_connections;               /* 0: no limit, of the whole broker */
        struct rate connect_rate;               /* of the whole broker */
        uint32_t max_per_address;               /* connections; 0: no limit */
        struct rate connect_rate_per_address;
        bool     exempt_loopback;               /* from what counts by address */
        char     ban_addresses[SETTINGS_TEXT_MAX];      /* "10.0.0.0/8, 192.0.2.7" */
        char     ban_client_ids[SETTINGS_TEXT_MAX], ban_usernames[SETTINGS_TEXT_MAX];
        uint32_t flapping_max;                  /* connections of a client id in a window; 0: off */
        uint32_t flapping_window_ms, flapping_ban_s;
        uint32_t failures_window_ms;
        uint32_t failures_delay_ms, failures_delay_max_ms;      /* 0: at once */
        uint32_t failures_ban_after;            /* of an address in a window; 0: never */
        uint32_t failures_ban_s;
        struct rate messages_in, messages_out;  /* of each client */
        struct rate bytes_in, bytes_out;

        /* sessions */
        uint32_t max_subscriptions;             /* 0: no limit */
        uint32_t max_inflight;                  /* messages towards a client */
        uint32_t max_awaiting_rel;              /* 0: no limit; the receive maximum told to v5 */
        uint32_t await_rel_timeout_ms;          /* 0: never */
        uint32_t retry_interval_ms;             /* 0: only when a client comes back; v3 only */
        uint32_t session_expiry_s;              /* of v3 sessions with clean session 0 */
        uint32_t max_session_expiry_s;          /* what v5 clients may ask for */
        bool     upgrade_qos;
        bool     ignore_loop_deliver;
        bool     overlapping_copies;            /* one copy per matching filter, as emqttd */

        /* mqueue */
        uint32_t mqueue_max_length;             /* messages; 0: no limit */
        uint64_t mqueue_max_bytes;              /* 0: no limit */
        uint32_t mqueue_high_percent, mqueue_low_percent;
        enum mqueue_drop mqueue_drop;
        bool     mqueue_store_qos0;
        uint64_t mqueue_max_memory;             /* bytes; beyond it only the index; 0: no limit */
        char     mqueue_priorities[SETTINGS_TEXT_MAX];  /* "topic/1=10,topic/2=8"; empty: simple */

        /* shared, retained, delayed */
        enum shared_strategy shared_strategy;
        uint32_t retained_max_messages;         /* 0: no limit */
        uint32_t retained_max_payload;          /* bytes; 0: no limit */
        uint32_t retained_expiry_s;             /* 0: never */
        uint32_t delayed_max_messages;

        /* store */
        uint32_t store_linger_ms;               /* before a batch is cut, under strict */
        uint32_t store_interval_ms;             /* between batches, under relaxed */

        /* TLS */
        uint32_t tls_handshakes_per_turn;       /* of one shard */
        uint32_t tls_expiry_warning_s;          /* an alarm when a certificate is over sooner */

        /* $SYS */
        uint32_t sys_interval_ms;               /* 0: off */
};

/* Every field at its default, as the option table has it: for tests. */
void settings_init(struct settings *settings);

#endif
