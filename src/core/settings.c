#include "core/settings.h"

#include <string.h>

#include "base/limits.h"

static void guard_init(struct settings *settings)
{
        settings->exempt_loopback       = true;
        settings->flapping_window_ms    = 60000;
        settings->flapping_ban_s        = 300;
        settings->failures_window_ms    = 600000;
        settings->failures_delay_ms     = 250;
        settings->failures_delay_max_ms = 8000;
        settings->failures_ban_s        = 900;
}

void settings_init(struct settings *settings)
{
        memset(settings, 0, sizeof(*settings));
        guard_init(settings);

        settings->max_packet_size           = 1048576;
        settings->max_connect_size          = 131072;
        settings->max_clientid_len          = 1024;
        settings->max_topic_levels          = 128;
        settings->max_topic_bytes           = TOPIC_BYTES_MAX;
        settings->max_user_properties       = PACKET_USER_PROPS_MAX;
        settings->max_filters               = SUBSCRIBE_FILTERS_MAX;
        settings->max_topic_alias           = 64;
        settings->max_qos                   = 2;
        settings->server_keepalive_s        = 0;
        settings->keepalive_backoff_percent = 150;
        settings->connect_timeout_ms        = 10000;
        settings->access_timeout_ms         = 10000;
        settings->output_high_bytes         = 1048576;
        settings->retain_available          = true;
        settings->wildcard_available        = true;
        settings->shared_available          = true;
        settings->exclusive_available       = true;
        settings->allow_anonymous           = false;
        settings->allow_anonymous_loopback  = true;
        settings->clientid_rule             = CLIENTID_ANY;

        settings->acl_nomatch_allow      = false;
        settings->acl_deny_disconnects   = false;
        settings->acl_revoke_disconnects = true;
        settings->acl_check_delivery     = true;
        settings->acl_cache              = true;
        settings->acl_cache_max          = 32;
        settings->acl_cache_ttl_ms       = 60000;
        settings->memory_share_percent = 75;
        settings->overload_lag_ms      = 500;


        settings->max_subscriptions    = 0;
        settings->max_inflight         = 32;
        settings->max_awaiting_rel     = 1000;
        settings->await_rel_timeout_ms = 300000;
        settings->retry_interval_ms    = 0;
        settings->session_expiry_s     = 7200;
        settings->max_session_expiry_s = UINT32_MAX;
        settings->upgrade_qos          = false;
        settings->ignore_loop_deliver  = false;
        settings->overlapping_copies   = false;

        settings->mqueue_max_length   = 1000;
        settings->mqueue_max_bytes    = 67108864;
        settings->mqueue_high_percent = 60;
        settings->mqueue_low_percent  = 20;
        settings->mqueue_max_memory   = 1048576;
        settings->mqueue_drop         = MQUEUE_DROP_OLDEST;
        settings->mqueue_store_qos0   = true;

        settings->shared_strategy       = SHARED_ROUND_ROBIN;
        settings->retained_max_messages = 1000000;
        settings->retained_max_payload  = 1048576;
        settings->retained_expiry_s     = 0;
        settings->delayed_max_messages  = 100000;
        settings->store_linger_ms       = 1;
        settings->store_interval_ms     = 1000;
        settings->sys_interval_ms       = 60000;

        settings->tls_handshakes_per_turn = 4;
        settings->tls_expiry_warning_s    = 14 * 86400;
}
