/* Every counter: field, the name emqttd publishes it under, what it counts. A shard counts its
 * own. */
METRIC(bytes_received,           "bytes/received",           "bytes read from clients")
METRIC(bytes_sent,               "bytes/sent",               "bytes written to clients")
METRIC(packets_received,         "packets/received",         "packets read from clients")
METRIC(packets_sent,             "packets/sent",             "packets written to clients")
METRIC(packets_connect,          "packets/connect",          "CONNECT packets")
METRIC(packets_connack,          "packets/connack",          "CONNACK packets")
METRIC(packets_publish_received, "packets/publish/received", "PUBLISH packets from clients")
METRIC(packets_publish_sent,     "packets/publish/sent",     "PUBLISH packets to clients")
METRIC(packets_puback_received,  "packets/puback/received",  "PUBACK packets from clients")
METRIC(packets_puback_sent,      "packets/puback/sent",      "PUBACK packets to clients")
METRIC(packets_puback_missed,    "packets/puback/missed",    "PUBACKs for an unknown packet id")
METRIC(packets_pubrec_received,  "packets/pubrec/received",  "PUBREC packets from clients")
METRIC(packets_pubrec_sent,      "packets/pubrec/sent",      "PUBREC packets to clients")
METRIC(packets_pubrec_missed,    "packets/pubrec/missed",    "PUBRECs for an unknown packet id")
METRIC(packets_pubrel_received,  "packets/pubrel/received",  "PUBREL packets from clients")
METRIC(packets_pubrel_sent,      "packets/pubrel/sent",      "PUBREL packets to clients")
METRIC(packets_pubrel_missed,    "packets/pubrel/missed",    "PUBRELs for an unknown packet id")
METRIC(packets_pubcomp_received, "packets/pubcomp/received", "PUBCOMP packets from clients")
METRIC(packets_pubcomp_sent,     "packets/pubcomp/sent",     "PUBCOMP packets to clients")
METRIC(packets_pubcomp_missed,   "packets/pubcomp/missed",   "PUBCOMPs for an unknown packet id")
METRIC(packets_subscribe,        "packets/subscribe",        "SUBSCRIBE packets")
METRIC(packets_suback,           "packets/suback",           "SUBACK packets")
METRIC(packets_unsubscribe,      "packets/unsubscribe",      "UNSUBSCRIBE packets")
METRIC(packets_unsuback,         "packets/unsuback",         "UNSUBACK packets")
METRIC(packets_pingreq,          "packets/pingreq",          "PINGREQ packets")
METRIC(packets_pingresp,         "packets/pingresp",         "PINGRESP packets")
METRIC(packets_disconnect,       "packets/disconnect",       "DISCONNECT packets from clients")
METRIC(packets_disconnect_sent,  "packets/disconnect/sent",  "DISCONNECT packets to clients")
METRIC(packets_auth_received,    "packets/auth/received",    "AUTH packets from clients")
METRIC(packets_auth_sent,        "packets/auth/sent",        "AUTH packets to clients")
METRIC(packets_refused,          "packets/refused",          "malformed or illegal packets")
METRIC(messages_received,        "messages/received",        "messages published by clients")
METRIC(messages_sent,            "messages/sent",            "messages sent to clients")
METRIC(messages_qos0_received,   "messages/qos0/received",   "QoS 0 messages from clients")
METRIC(messages_qos0_sent,       "messages/qos0/sent",       "QoS 0 messages to clients")
METRIC(messages_qos1_received,   "messages/qos1/received",   "QoS 1 messages from clients")
METRIC(messages_qos1_sent,       "messages/qos1/sent",       "QoS 1 messages to clients")
METRIC(messages_qos2_received,   "messages/qos2/received",   "QoS 2 messages from clients")
METRIC(messages_qos2_sent,       "messages/qos2/sent",       "QoS 2 messages to clients")
METRIC(messages_qos2_dropped,    "messages/qos2/dropped",
       "QoS 2 messages beyond the receive maximum")
METRIC(messages_dropped,         "messages/dropped",         "messages that no subscription wanted")
METRIC(messages_dropped_queue,   "messages/dropped/queue",
       "messages lost to a full session queue")
METRIC(messages_dropped_expired, "messages/dropped/expired",
       "messages that expired before delivery")
METRIC(messages_dropped_slow,    "messages/dropped/slow",
       "QoS 0 messages for a client that does not read")
METRIC(messages_dropped_large,   "messages/dropped/large",
       "messages above the receiver's packet size")
METRIC(messages_dropped_memory,  "messages/dropped/memory",  "messages lost for want of memory")
METRIC(messages_refused_memory,  "messages/refused/memory",
       "messages from clients beyond memory.limit")
METRIC(messages_dropped_damaged, "messages/dropped/damaged",
       "queued messages whose record the store could not read")
METRIC(messages_redispatched,    "messages/redispatched",
       "shared messages handed to another member")
METRIC(messages_dropped_limit,   "messages/dropped/limit",
       "messages with a topic or user properties beyond the limits")
METRIC(messages_dropped_rate,    "messages/dropped/rate",
       "QoS 0 messages beyond what a client may get in a second")
METRIC(messages_delayed,         "messages/delayed",         "messages published through $delayed")
METRIC(subscriptions_refused,    "subscriptions/refused",    "filters that SUBACK refused")
METRIC(connections_refused_full, "connections/refused/full",
       "connections beyond the limit of broker, listener or address")
METRIC(connections_refused_rate, "connections/refused/rate",
       "connections that came too fast for broker, listener or address")
METRIC(connections_refused_memory, "connections/refused/memory",
       "connections beyond memory.limit")
METRIC(connections_refused_busy, "connections/refused/busy",
       "connections to a shard that did not keep up")
METRIC(connections_refused_banned, "connections/refused/banned",
       "connections of who is banned")
METRIC(connections_silent,       "connections/refused/silent",
       "those of the refused that were closed without a CONNACK")
METRIC(connections_late,         "connections/refused/late",
       "connections without a whole CONNECT in time")
METRIC(clients_throttled,        "clients/throttled",
       "times that a client was not read for its rate, or for want of memory")
METRIC(clients_connected,        "clients/connected",        "connections that became clients")
METRIC(clients_disconnected,     "clients/disconnected",     "clients that went")
METRIC(clients_refused,          "clients/refused",          "CONNECTs that were refused")
METRIC(auth_success,             "client/auth/success",      "authentications that were allowed")
METRIC(auth_failure,             "client/auth/failure",      "authentications that were denied")
METRIC(auth_anonymous,           "client/auth/anonymous",    "allowed, though by no provider")
METRIC(auth_unknown,             "client/auth/ignored",      "denied, as no provider knew them")
METRIC(auth_http_asked,          "auth/http/asked",          "questions to the HTTP service")
METRIC(auth_http_cached,         "auth/http/cached",
       "questions to it that a remembered answer has saved")
METRIC(auth_http_timeout,        "auth/http/timeout",        "of these, not answered in time")
METRIC(auth_http_failed,         "auth/http/failed",
       "questions without an answer that can be relied on")
METRIC(tls_handshakes,           "tls/handshakes",           "TLS handshakes that succeeded")
METRIC(tls_resumed,              "tls/handshakes/resumed",   "of them, by a session ticket")
METRIC(tls_failed,               "tls/handshakes/failed",    "TLS handshakes that did not")
METRIC(handshakes_late,          "handshakes/timeout",
       "TLS handshakes and WebSocket upgrades that were not over in time")
METRIC(auth_cached,              "client/auth/cached",       "allowed without a hash")
METRIC(access_timeout,           "access/timeout",
       "questions that no access provider answered in time")
METRIC(acl_allow,                "client/acl/allow",         "topics that access rules allowed")
METRIC(acl_deny,                 "client/acl/deny",          "topics that access rules denied")
METRIC(acl_ignore,               "client/acl/ignore",
       "topics for which no access rule was found")
METRIC(acl_cache_hit,            "client/acl/cache_hit",
       "verdicts on topics that were remembered")
METRIC(messages_dropped_denied,  "messages/dropped/denied",
       "messages that access rules kept from a subscriber, or a will")
METRIC(subscriptions_revoked,    "subscriptions/revoked",
       "subscriptions ended because a rule no longer allows them")
METRIC(sessions_created,         "sessions/created",         "sessions that began")
METRIC(sessions_resumed,         "sessions/resumed",         "sessions that a client came back to")
METRIC(sessions_takenover,       "sessions/takenover",
       "sessions taken over from a live connection")
METRIC(sessions_terminated,      "sessions/terminated",      "sessions that ended")
METRIC(sessions_expired,         "sessions/expired",         "sessions that ended by expiry")
#undef METRIC
