/* Every option but the listeners': key, kind, field of struct config, least and greatest value in
 * the field's own unit, whether a reload applies it (RELOAD) or only a restart (FIXED), its help.
 * The defaults are what config_init() sets. ENUMs name their words instead of the two bounds. */
SECTION("Node")
OPTION("node.name", TEXT, node_name, 1, 0, FIXED, "what this broker calls itself in $SYS topics")
OPTION("shards", NUMBER, shards, 0, SHARDS_MAX, FIXED,
       "threads that serve clients; 0: one per core")
OPTION("data_dir", TEXT, data_dir, 1, 0, FIXED, "the folder for what outlives the process")
OPTION("user", TEXT, user, 0, 0, FIXED,
       "whom a broker that is started as root becomes; empty: linnet, if there is such a user")
OPTION("confine", SWITCH, confine, 0, 1, FIXED,
       "it runs no program, writes nowhere but beneath data_dir, log.file's folder and those of "
       "Unix sockets, and gives up system calls that it never needs (Landlock, seccomp)")

OPTION("control.socket", TEXT, control_socket, 0, 0, FIXED,
       "the Unix socket where linnet ctl asks, for root and the broker's own user; empty: control "
       "beneath data_dir; off: none")

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
OPTION("mqtt.max_packet_size_before_connect", BYTES, settings.max_connect_size, 512,
       PACKET_BYTES_MAX, RELOAD,
       "the largest CONNECT, which is taken from anyone: credentials and will included")
OPTION("mqtt.max_clientid_len", NUMBER, settings.max_clientid_len, 23, 65535, RELOAD,
       "bytes of a client identifier")
OPTION("mqtt.max_topic_levels", NUMBER, settings.max_topic_levels, 1, TOPIC_LEVELS_MAX, RELOAD,
       "levels of a topic or filter")
OPTION("mqtt.max_topic_bytes", NUMBER, settings.max_topic_bytes, 1, TOPIC_BYTES_MAX, RELOAD,
       "bytes of a topic or filter")
OPTION("mqtt.max_user_properties", NUMBER, settings.max_user_properties, 0, PACKET_USER_PROPS_MAX,
       RELOAD, "user properties in a PUBLISH, or in a CONNECT with its will")
OPTION("mqtt.max_filters_per_subscribe", NUMBER, settings.max_filters, 1, SUBSCRIBE_FILTERS_MAX,
       RELOAD, "filters in one SUBSCRIBE; those behind are refused")
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
       "who is asked about a client, in this order, as in password_file, clientid; who none of "
       "them knows is denied; empty: only the options for anonymous clients decide")
OPTION("mqtt.allow_anonymous", SWITCH, settings.allow_anonymous, 0, 1, RELOAD,
       "lets anyone in from anywhere; with auth.chain, who has neither user name nor password")
OPTION("mqtt.allow_anonymous_loopback", SWITCH, settings.allow_anonymous_loopback, 0, 1, RELOAD,
       "without auth.chain, lets anyone in from this machine")
OPTION("auth.password_file", TEXT, auth.password_file, 0, 0, RELOAD,
       "NAME:HASH a line, as linnet passwd and mosquitto_passwd write it; read again as soon as "
       "it changes")
OPTION("auth.scram.file", TEXT, auth.scram_file, 0, 0, RELOAD,
       "NAME:VERIFIER a line, as linnet passwd --scram and PostgreSQL write it; read again as soon "
       "as it changes")
OPTION("auth.workers", NUMBER, auth.workers, 1, AUTH_WORKERS_MAX, FIXED,
       "threads that compute password hashes")
OPTION("auth.queue", NUMBER, auth.queue_max, 1, 1000000, FIXED,
       "passwords that wait for one of them; beyond it clients are told that the server is busy")
OPTION("auth.cache.entries", NUMBER, auth.cache_entries, 0, 10000000, FIXED,
       "passwords proven of late, which need no hash; 40 bytes each; 0: none are remembered")
OPTION("auth.cache.ttl", MILLIS, auth.cache_ttl_ms, 1000, UINT32_MAX, FIXED,
       "how long they are remembered; a change of the file forgets them at once")
OPTION_ENUM("auth.clientid_rule", settings.clientid_rule, option_clientid_rules, RELOAD,
            "what clients may call themselves: any client id, their user name alone, or what "
            "begins with it; who has no user name leaves the id to the server, or has proven it "
            "(auth.client.N, peer_cert_as_clientid)")

SECTION("Tokens (auth.chain = jwt)")
OPTION_ENUM("auth.jwt.from", auth.jwt.from, option_token_places, RELOAD,
            "where a client has its token")
OPTION("auth.jwt.secret", SECRET, auth.jwt.secret, 0, 0, RELOAD,
       "of tokens signed with HS256, HS384 or HS512; 32 bytes or more")
OPTION("auth.jwt.secret_base64", SWITCH, auth.jwt.secret_base64, 0, 1, RELOAD,
       "the secret is written in base64url")
OPTION("auth.jwt.pubkey", TEXT, auth.jwt.pubkey, 0, 0, RELOAD,
       "a PEM file with public keys or certificates, of tokens signed with RS*, ES* or EdDSA")
OPTION("auth.jwt.jwks_file", TEXT, auth.jwt.jwks_file, 0, 0, FIXED,
       "a key set as JSON; read again when it changes")
OPTION("auth.jwt.jwks_url", TEXT, auth.jwt.jwks_url, 0, 0, FIXED,
       "the same, fetched from there, and again when a token names a key that is not in it")
OPTION("auth.jwt.jwks_ca_file", TEXT, auth.jwt.jwks_ca_file, 0, 0, FIXED,
       "who may have signed the certificate there; empty: whom the system trusts")
OPTION("auth.jwt.jwks_refresh", MILLIS, auth.jwt.jwks_refresh_ms, 1000, 86400000, FIXED,
       "how often it is fetched")
OPTION("auth.jwt.verify_claims", TEXT, auth.jwt.verify_claims, 0, 0, RELOAD,
       "what claims must say, as in username:%u, sub:%c; the user name is the client's own word "
       "unless a claim is to confirm it")
OPTION("auth.jwt.issuer", TEXT, auth.jwt.issuer, 0, 0, RELOAD,
       "what iss must be; empty: anything")
OPTION("auth.jwt.audience", TEXT, auth.jwt.audience, 0, 0, RELOAD,
       "what aud must be or have; empty: anything")
OPTION("auth.jwt.username_claim", TEXT, auth.jwt.username_claim, 0, 0, RELOAD,
       "the claim that becomes the client's user name; empty: it keeps its own, if it has one")
OPTION("auth.jwt.superuser_claim", TEXT, auth.jwt.superuser_claim, 0, 0, RELOAD,
       "the claim that, when it is true, makes a superuser; empty: none does")
OPTION("auth.jwt.acl_claim", TEXT, auth.jwt.acl_claim, 0, 0, RELOAD,
       "the claim with what the client may publish and subscribe to; empty: none is read")
OPTION("auth.jwt.leeway", SECONDS, auth.jwt.leeway_s, 0, 3600, RELOAD,
       "how far clocks may be apart")
OPTION("auth.jwt.require_exp", SWITCH, auth.jwt.require_exp, 0, 1, RELOAD,
       "refuses tokens that never expire")
OPTION("auth.jwt.disconnect_after_expire", SWITCH, auth.jwt.end_with_token, 0, 1, RELOAD,
       "the connection ends with its token")

SECTION("An HTTP service (auth.chain = http)")
OPTION("auth.http.auth_req", TEXT, auth.http.requests[AUTH_HTTP_AUTH].url, 0, 0, RELOAD,
       "who is asked whether a client may come in; empty: nobody")
OPTION_ENUM("auth.http.auth_req.method",
            auth.http.requests[AUTH_HTTP_AUTH].method, option_http_methods,
            RELOAD, "GET has the params in the URL, where logs of the service may show them")
OPTION("auth.http.auth_req.params", TEXT, auth.http.requests[AUTH_HTTP_AUTH].params, 0, 0, RELOAD,
       "what is sent: %u user name, %c client id, %a address, %P password, %t topic, %A 1 to "
       "subscribe, 2 to publish, ${qos}, ${retain}, ${action}")
OPTION_ENUM("auth.http.auth_req.body",
            auth.http.requests[AUTH_HTTP_AUTH].body, option_http_bodies, RELOAD,
            "how a POST has them")
OPTION("auth.http.super_req", TEXT, auth.http.requests[AUTH_HTTP_SUPER].url, 0, 0, RELOAD,
       "the same, whether it is a superuser")
OPTION_ENUM("auth.http.super_req.method",
            auth.http.requests[AUTH_HTTP_SUPER].method, option_http_methods,
            RELOAD, "GET has the params in the URL, where logs of the service may show them")
OPTION("auth.http.super_req.params", TEXT, auth.http.requests[AUTH_HTTP_SUPER].params, 0, 0, RELOAD,
       "what is sent: %u user name, %c client id, %a address, %P password, %t topic, %A 1 to "
       "subscribe, 2 to publish, ${qos}, ${retain}, ${action}")
OPTION_ENUM("auth.http.super_req.body",
            auth.http.requests[AUTH_HTTP_SUPER].body, option_http_bodies, RELOAD,
            "how a POST has them")
OPTION("auth.http.acl_req", TEXT, auth.http.requests[AUTH_HTTP_ACL].url, 0, 0, RELOAD,
       "the same, what it may publish and subscribe to")
OPTION_ENUM("auth.http.acl_req.method",
            auth.http.requests[AUTH_HTTP_ACL].method, option_http_methods,
            RELOAD, "GET has the params in the URL, where logs of the service may show them")
OPTION("auth.http.acl_req.params", TEXT, auth.http.requests[AUTH_HTTP_ACL].params, 0, 0, RELOAD,
       "what is sent: %u user name, %c client id, %a address, %P password, %t topic, %A 1 to "
       "subscribe, 2 to publish, ${qos}, ${retain}, ${action}")
OPTION_ENUM("auth.http.acl_req.body",
            auth.http.requests[AUTH_HTTP_ACL].body, option_http_bodies, RELOAD,
            "how a POST has them")
OPTION("auth.http.headers", SECRET, auth.http.headers, 0, 0, RELOAD,
       "sent along, as in X-Api-Key: KEY|X-From: linnet")
OPTION("auth.http.ca_file", TEXT, auth.http.ca_file, 0, 0, FIXED,
       "who may have signed the service's certificate; empty: whom the system trusts")
OPTION("auth.http.cert_file", TEXT, auth.http.cert_file, 0, 0, FIXED,
       "a certificate to show to the service")
OPTION("auth.http.key_file", TEXT, auth.http.key_file, 0, 0, FIXED, "the key of that")
OPTION("auth.http.connect_timeout", MILLIS, auth.http.connect_timeout_ms, 10, 60000, FIXED,
       "for a connection to the service")
OPTION("auth.http.timeout", MILLIS, auth.http.timeout_ms, 10, 60000, FIXED,
       "for its answer, waiting for a connection included")
OPTION_ENUM("auth.http.on_error", auth.http.on_error, option_http_on_errors, RELOAD,
            "when the service cannot be asked, or answers with a status of 500 or more")
OPTION("auth.http.cache_ttl", MILLIS, auth.http.cache_ttl_ms, 0, 86400000, RELOAD,
       "how long an answer is remembered that allows or ignores; 0: not")
OPTION("auth.http.cache_negative_ttl", MILLIS, auth.http.cache_negative_ttl_ms, 0, 86400000,
       RELOAD, "the same of one that denies")
OPTION("auth.http.cache_max", NUMBER, auth.http.cache_max, 0, 10000000, FIXED,
       "answers that are remembered")
OPTION("auth.http.circuit_failures", NUMBER, auth.http.circuit_failures, 0, 1000000, FIXED,
       "in a row, after which the service is left alone for a while; 0: never")
OPTION("auth.http.circuit_window", MILLIS, auth.http.circuit_window_ms, 1, 3600000, FIXED,
       "within this time")
OPTION("auth.http.circuit_pause", MILLIS, auth.http.circuit_pause_ms, 1, 3600000, FIXED,
       "until one question is tried again")

SECTION("HTTP client")
OPTION("http.connections", NUMBER, http_connections, 1, 1024, FIXED,
       "at once, to all services that are asked over HTTP; kept alive")
OPTION("http.max_calls", NUMBER, http_max_calls, 1, 1000000, FIXED,
       "requests that may be under way or wait; more fail at once")

SECTION("Access rules")
OPTION("acl.file", TEXT, acl_file, 0, 0, RELOAD,
       "who may publish and subscribe to what; empty: everyone may (doc/security.md)")
OPTION_ENUM("acl.format", acl_format, option_acl_formats, RELOAD,
            "the language of acl.file; auto: by its first line")
OPTION("acl.watch_interval", MILLIS, acl_watch_ms, 0, 3600000, RELOAD,
       "how often it is looked whether the file has changed; 0: only a reload reads it again")
OPTION_ENUM("acl.nomatch", settings.acl_nomatch_allow, option_nomatch, RELOAD,
            "what no rule decides, where there are any: acl.file, auth.jwt.acl_claim or "
            "auth.http.acl_req")
OPTION_ENUM("acl.deny_action", settings.acl_deny_disconnects, option_deny_actions, RELOAD,
            "what is denied: ignore drops a PUBLISH, of which v5 clients are told 0x87, and "
            "answers a SUBSCRIBE with 0x87 (v3: 0x80) for that filter; disconnect ends the client, "
            "and nothing of its packet is done")
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

SECTION("Limits")
OPTION("memory.limit", BYTES, settings.memory_limit, 0, (uint64_t)1 << 50, RELOAD,
       "what the broker's heap may hold: from 90% on publishers are slowed down, at 100% messages "
       "and connections are refused; 0: memory.share")
OPTION("memory.share", PERCENT, settings.memory_share_percent, 0, 100, RELOAD,
       "the same as a part of what the machine, or the control group, has; 0: no limit")
OPTION("overload.lag", MILLIS, settings.overload_lag_ms, 0, 60000, RELOAD,
       "a shard that is late by so much takes no new connections until it keeps up; 0: off")
OPTION("limits.max_connections", NUMBER, settings.max_connections, 0, UINT32_MAX, RELOAD,
       "of the whole broker at once; 0: as many as there are descriptors")
OPTION("limits.max_conn_rate", RATE, settings.connect_rate, 0, 0, RELOAD,
       "connections a second, of the whole broker")
OPTION("limits.max_connections_per_address", NUMBER, settings.max_per_address, 0, UINT32_MAX,
       RELOAD, "from one IPv4 address or one IPv6 /64 at once; 0: no limit")
OPTION("limits.max_conn_rate_per_address", RATE, settings.connect_rate_per_address, 0, 0, RELOAD,
       "connections a second, from the same")
OPTION("limits.exempt_loopback", SWITCH, settings.exempt_loopback, 0, 1, RELOAD,
       "what counts by address, flapping and failed logins do not count from this machine")
OPTION("mqtt.client.messages_in_rate", RATE, settings.messages_in, 0, 0, RELOAD,
       "messages a second from one client; beyond it the client is not read for a while")
OPTION("mqtt.client.bytes_in_rate", BYTE_RATE, settings.bytes_in, 0, 0, RELOAD,
       "bytes a second from one client; the same")
OPTION("mqtt.client.messages_out_rate", RATE, settings.messages_out, 0, 0, RELOAD,
       "messages a second to one client; beyond it QoS 1 and 2 wait, QoS 0 is dropped")
OPTION("mqtt.client.bytes_out_rate", BYTE_RATE, settings.bytes_out, 0, 0, RELOAD,
       "bytes of messages a second to one client; the same")

SECTION("Bans")
OPTION("ban.addresses", TEXT, settings.ban_addresses, 0, 0, RELOAD,
       "addresses and networks that may not connect, as 10.0.0.0/8, 192.0.2.7; empty: none")
OPTION("ban.clientids", TEXT, settings.ban_client_ids, 0, 0, RELOAD,
       "client identifiers that may not connect, with commas between them")
OPTION("ban.usernames", TEXT, settings.ban_usernames, 0, 0, RELOAD,
       "user names that may not connect, with commas between them")
OPTION("flapping.max_count", NUMBER, settings.flapping_max, 0, UINT32_MAX, RELOAD,
       "a client identifier that connects more often in a window is banned; 0: none is")
OPTION("flapping.window", MILLIS, settings.flapping_window_ms, 100, 86400000, RELOAD,
       "that window")
OPTION("flapping.ban_time", SECONDS, settings.flapping_ban_s, 1, 31536000, RELOAD,
       "how long it is banned")
OPTION("auth.failures.window", MILLIS, settings.failures_window_ms, 100, 86400000, RELOAD,
       "failed logins of an address or a user name count for so long")
OPTION("auth.failures.delay", MILLIS, settings.failures_delay_ms, 0, 60000, RELOAD,
       "how long the second failure is answered late; it doubles with each; 0: none is")
OPTION("auth.failures.max_delay", MILLIS, settings.failures_delay_max_ms, 0, 60000, RELOAD,
       "the longest of these delays")
OPTION("auth.failures.ban_after", NUMBER, settings.failures_ban_after, 0, UINT32_MAX, RELOAD,
       "an address with more failures in a window is banned, a user name never; 0: none is")
OPTION("auth.failures.ban_time", SECONDS, settings.failures_ban_s, 1, 31536000, RELOAD,
       "how long it is banned")

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

SECTION("TLS")
OPTION("tls.handshakes_per_turn", NUMBER, settings.tls_handshakes_per_turn, 1, 10000, RELOAD,
       "of one shard, before it looks after its other clients again")
OPTION("tls.expiry_warning", SECONDS, settings.tls_expiry_warning_s, 0, 31536000, RELOAD,
       "an alarm is raised when a certificate of a listener is over sooner than that")

SECTION("$SYS")
OPTION("mqtt.broker.sys_interval", MILLIS, settings.sys_interval_ms, 0, UINT32_MAX, RELOAD,
       "how often $SYS topics are published; 0: never")
