/* Every option but the listeners': key, kind, field of struct config, least and greatest value in
 * the field's own unit, whether a reload applies it (RELOAD) or only a restart (FIXED), its help.
 * The defaults are what config_init() sets. ENUMs name their words instead of the two bounds. */
SECTION("Node")
OPTION("node.name", TEXT, node_name, 1, 0, FIXED, "what this broker calls itself in $SYS topics")
OPTION("shards", NUMBER, shards, 0, SHARDS_MAX, FIXED,
       "threads that serve clients; 0: one per core")
OPTION("data_dir", TEXT, data_dir, 1, 0, FIXED, "the folder for what outlives the process")

SECTION("Durability")
OPTION_ENUM("durability", durability, option_durabilities, FIXED,
            "what an acknowledgement promises: strict, it is on disk; relaxed, at QoS 1 it will be "
            "within store.interval, and all else as under strict; memory, nothing outlives the "
            "process")
OPTION("store.linger", MILLIS, settings.store_linger_ms, 0, 1000, RELOAD,
       "how long a batch gathers before it is written, under strict: what its receivers "
       "acknowledge meanwhile never reaches the disk")
OPTION("store.interval", MILLIS, settings.store_interval_ms, 1, 3600000, RELOAD,
       "between two batches, under relaxed: a crash loses what was acknowledged at QoS 1 meanwhile")

SECTION("Log")
OPTION("log.file", TEXT, log_file, 0, 0, RELOAD, "empty: standard error")
OPTION_ENUM("log.level", log_level, option_log_levels, RELOAD, "events below it are not written")
OPTION_ENUM("log.format", log_format, option_log_formats, RELOAD, "how a line looks")

SECTION("Connections")
OPTION("mqtt.max_packet_size", BYTES, settings.max_packet_size, 64, PACKET_BYTES_MAX, RELOAD,
       "the largest packet taken from a client")
OPTION("mqtt.max_clientid_len", NUMBER, settings.max_clientid_len, 23, 65535, RELOAD,
       "bytes of a client identifier")
OPTION("mqtt.max_topic_levels", NUMBER, settings.max_topic_levels, 1, TOPIC_LEVELS_MAX, RELOAD,
       "levels of a topic or filter")
OPTION("mqtt.max_topic_alias", NUMBER, settings.max_topic_alias, 0, 65535, RELOAD,
       "topic aliases a v5 client may use; 0: none")
OPTION("mqtt.max_qos", NUMBER, settings.max_qos, 0, 2, RELOAD, "the highest quality of service")
OPTION("mqtt.server_keepalive", SECONDS, settings.server_keepalive_s, 0, 65535, RELOAD,
       "the keep alive every v5 client is told; 0: the client's own")
OPTION("mqtt.keepalive_backoff", PERCENT, settings.keepalive_backoff_percent, 100, 1000, RELOAD,
       "how much of its keep alive a client may be silent")
OPTION("mqtt.client.idle_timeout", MILLIS, settings.connect_timeout_ms, 100, 3600000, RELOAD,
       "from accepting a connection to its whole CONNECT")
OPTION("mqtt.access_timeout", MILLIS, settings.access_timeout_ms, 100, 3600000, RELOAD,
       "what authentication, or a check of a topic, may take; then it is denied")
OPTION("mqtt.client.output_high", BYTES, settings.output_high_bytes, 4096, 1073741824, RELOAD,
       "output waiting above it: QoS 0 is dropped, QoS 1 and 2 wait")
OPTION("mqtt.retain_available", SWITCH, settings.retain_available, 0, 1, RELOAD,
       "clients may have messages retained")
OPTION("mqtt.wildcard_available", SWITCH, settings.wildcard_available, 0, 1, RELOAD,
       "clients may subscribe with + and #")
OPTION("mqtt.shared_available", SWITCH, settings.shared_available, 0, 1, RELOAD,
       "clients may subscribe with $share/GROUP/ and $queue/")
OPTION("mqtt.exclusive_available", SWITCH, settings.exclusive_available, 0, 1, RELOAD,
       "clients may subscribe with $exclusive/")

SECTION("Authentication")
OPTION("auth.chain", TEXT, auth.chain, 0, 0, FIXED,
       "who is asked about a client, in this order, as in clientid, username; who none of them "
       "knows is denied; empty: only the two options for anonymous clients decide")
OPTION("mqtt.allow_anonymous", SWITCH, settings.allow_anonymous, 0, 1, RELOAD,
       "lets anyone in from anywhere; with auth.chain, who has neither user name nor password")
OPTION("mqtt.allow_anonymous_loopback", SWITCH, settings.allow_anonymous_loopback, 0, 1, RELOAD,
       "without auth.chain, lets anyone in from this machine")
OPTION_ENUM("auth.clientid_rule", settings.clientid_rule, option_clientid_rules, RELOAD,
            "what authenticated clients with a user name may call themselves: any client id, "
            "their user name alone, or what begins with it")

SECTION("Access rules")
OPTION("acl.file", TEXT, acl_file, 0, 0, RELOAD,
       "who may publish and subscribe to what; empty: everyone may (doc/security.md)")
OPTION_ENUM("acl.format", acl_format, option_acl_formats, RELOAD,
            "the language of acl.file; auto: by its first line")
OPTION("acl.watch_interval", MILLIS, acl_watch_ms, 0, 3600000, RELOAD,
       "how often it is looked whether the file has changed; 0: only a reload reads it again")
OPTION_ENUM("acl.nomatch", settings.acl_nomatch_allow, option_nomatch, RELOAD,
            "what no rule matches, where there are rules")
OPTION_ENUM("acl.deny_action", settings.acl_deny_disconnects, option_deny_actions, RELOAD,
            "a PUBLISH that is denied: ignore acknowledges it to v3 clients, tells v5 clients "
            "0x87, and drops it")
OPTION_ENUM("acl.revoke", settings.acl_revoke_disconnects, option_revokes, RELOAD,
            "the client of a subscription that new rules end: told 0x87 and disconnected, or not")
OPTION("acl.check_delivery", SWITCH, settings.acl_check_delivery, 0, 1, RELOAD,
       "where rules let through a part of what a subscription matches, asks for each message; off: "
       "such a subscription is refused under Mosquitto's rules, and not checked under emqttd's")
OPTION("acl.cache", SWITCH, settings.acl_cache, 0, 1, RELOAD, "remembers verdicts for each client")
OPTION("acl.cache.max", NUMBER, settings.acl_cache_max, 1, 1024, RELOAD,
       "verdicts remembered for one client")
OPTION("acl.cache.ttl", MILLIS, settings.acl_cache_ttl_ms, 1, 86400000, RELOAD,
       "how long a verdict is remembered; a change of the rules forgets all")

SECTION("Sessions")
OPTION("mqtt.session.max_subscriptions", NUMBER, settings.max_subscriptions, 0, UINT32_MAX, RELOAD,
       "0: no limit")
OPTION("mqtt.session.max_inflight", NUMBER, settings.max_inflight, 1, 65535, RELOAD,
       "QoS 1 and 2 messages on their way to a client at once")
OPTION("mqtt.session.max_awaiting_rel", NUMBER, settings.max_awaiting_rel, 0, 65535, RELOAD,
       "QoS 2 messages from a client without PUBREL; 0: no limit")
OPTION("mqtt.session.await_rel_timeout", MILLIS, settings.await_rel_timeout_ms, 0, UINT32_MAX,
       RELOAD, "how long such a message waits for its PUBREL; 0: forever")
OPTION("mqtt.session.retry_interval", MILLIS, settings.retry_interval_ms, 0, UINT32_MAX, RELOAD,
       "sends again to v3 clients; 0: only when they come back")
OPTION("mqtt.session.expiry_interval", SECONDS, settings.session_expiry_s, 0, UINT32_MAX, RELOAD,
       "how long a v3 session with clean session 0 waits for its client")
OPTION("mqtt.session.max_expiry_interval", SECONDS, settings.max_session_expiry_s, 0, UINT32_MAX,
       RELOAD, "the longest that v5 clients may ask for; 4294967295s: forever")
OPTION("mqtt.session.upgrade_qos", SWITCH, settings.upgrade_qos, 0, 1, RELOAD,
       "delivers with the subscription's QoS where that is higher")
OPTION("mqtt.session.ignore_loop_deliver", SWITCH, settings.ignore_loop_deliver, 0, 1, RELOAD,
       "clients do not get back what they published")
OPTION("mqtt.session.overlapping_copies", SWITCH, settings.overlapping_copies, 0, 1, RELOAD,
       "one copy per matching filter instead of one per client")

SECTION("Message queues")
OPTION("mqtt.mqueue.max_length", NUMBER, settings.mqueue_max_length, 0, UINT32_MAX, RELOAD,
       "messages that wait for one client; 0: no limit")
OPTION("mqtt.mqueue.max_bytes", BYTES, settings.mqueue_max_bytes, 0, (uint64_t)1 << 50, RELOAD,
       "bytes that wait for one client; 0: no limit")
OPTION("mqtt.mqueue.high_watermark", PERCENT, settings.mqueue_high_percent, 1, 100, RELOAD,
       "of max_length: above it the alarm for a long queue is raised")
OPTION("mqtt.mqueue.low_watermark", PERCENT, settings.mqueue_low_percent, 0, 100, RELOAD,
       "of max_length: below it the alarm is cleared")
OPTION("mqtt.mqueue.max_memory", BYTES, settings.mqueue_max_memory, 0, (uint64_t)1 << 50, RELOAD,
       "of one client's queue; what is in the store beyond it costs 16 bytes each; 0: no limit")
OPTION_ENUM("mqtt.mqueue.drop", settings.mqueue_drop, option_mqueue_drops, RELOAD,
            "which message a full queue gives up")
OPTION("mqtt.mqueue.store_qos0", SWITCH, settings.mqueue_store_qos0, 0, 1, RELOAD,
       "QoS 0 messages wait, too, for a client that is away")
OPTION("mqtt.mqueue.priority", TEXT, settings.mqueue_priorities, 0, 0, RELOAD,
       "topics that go first, as topic/1=10,topic/2=8; empty: none")

SECTION("Shared subscriptions")
OPTION_ENUM("mqtt.shared.strategy", settings.shared_strategy, option_strategies, RELOAD,
            "which member of a group gets a message")

SECTION("Retained and delayed messages")
OPTION("retainer.max_message_num", NUMBER, settings.retained_max_messages, 0, UINT32_MAX, RELOAD,
       "0: no limit")
OPTION("retainer.max_payload_size", BYTES, settings.retained_max_payload, 0, PACKET_BYTES_MAX,
       RELOAD, "larger payloads are delivered but not retained; 0: no limit")
OPTION("retainer.expiry_interval", SECONDS, settings.retained_expiry_s, 0, UINT32_MAX, RELOAD,
       "0: never, unless the message says so")
OPTION("mqtt.delayed.max_messages", NUMBER, settings.delayed_max_messages, 0, UINT32_MAX, RELOAD,
       "messages that wait for their time ($delayed/)")

SECTION("$SYS")
OPTION("mqtt.broker.sys_interval", MILLIS, settings.sys_interval_ms, 0, UINT32_MAX, RELOAD,
       "how often $SYS topics are published; 0: never")
