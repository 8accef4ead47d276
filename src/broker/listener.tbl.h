/* Every option of a listener: which types have it (a TYPES_ of config_listener.c), key, kind, field
 * of struct config_listener, least and greatest value in the field's own unit, whether a reload
 * applies it (RELOAD) or only a restart (FIXED), its help. ENUMs name their words instead of the
 * two bounds, and SETs, which take several; CHECKED texts name who checks them, and what they are
 * then; LISTs are that, as key.1, key.2 and so on. The defaults are in config_listener.c. */
LISTENER_SECTION("Every listener")
LISTENER_OPTION(ALL, "max_clients", NUMBER, max_connections, 0, UINT32_MAX, RELOAD,
                "connections at once; 0: no limit")
LISTENER_OPTION(ALL, "max_conn_rate", RATE, connect_rate, 0, 0, RELOAD, "connections a second")
LISTENER_OPTION(ALL, "rate_limit", BYTE_RATE, bytes_in, 0, 0, RELOAD,
                "bytes a second from one client, instead of mqtt.client.bytes_in_rate")
LISTENER_OPTION(ALL, "backlog", NUMBER, backlog, 1, 65535, RELOAD,
                "connections the kernel holds until they are accepted")
LISTENER_ENUM(ALL, "durability", durability, option_durabilities, RELOAD,
              "less than the broker's durability for its clients: relaxed or memory")
LISTENER_LIST(ALL, "access", access, network_rule_valid, "allow or deny, and a network or all",
              RELOAD,
              "who may connect: allow or deny ADDRESS/BITS or all, in the order of their numbers. "
              "The first that matches decides; with any rule, whom none matches is denied")
LISTENER_ENUM(ALL, "allow_anonymous", anonymous, anonymous_words, RELOAD,
              "lets in whom no authentication knows, or nobody of them; default: as "
              "mqtt.allow_anonymous says")
LISTENER_SET(ALL, "versions", versions, version_words, RELOAD,
             "of MQTT that are spoken; a client of another one is told")
LISTENER_CHECKED(ALL, "mountpoint", mountpoint, mount_pattern_valid,
                 "levels of a topic that end in /, without wildcards or a $ in front", RELOAD,
                 "stands before every topic of its clients, who do not see it: dev/%c/ with the "
                 "client identifier for %c and the username for %u. Rules and other clients see it")
LISTENER_OPTION(ALL, "use_identity_as_username", SWITCH, identity_as_username, 0, 1, RELOAD,
                "the client's username is what its connection proves, whatever it says: uid:NUMBER "
                "of a Unix socket, the identity of a pre-shared key, the common name of a "
                "certificate or of one that a proxy verified; who proves none is refused")

LISTENER_SECTION("Behind a proxy")
LISTENER_OPTION(ALL, "proxy_protocol", SWITCH, proxy_protocol, 0, 1, RELOAD,
                "every connection begins with a PROXY header, version 1 or 2, whose address is the "
                "client's: for rules, limits and logs")
LISTENER_CHECKED(INET, "proxy_protocol_trusted", proxy_trusted, networks_valid,
                 "a list of networks, such as 10.0.0.0/8, ::1", RELOAD,
                 "the networks of the proxies; who else connects is hung up on")
LISTENER_OPTION(ALL, "proxy_protocol_timeout", MILLIS, proxy_timeout_ms, 100, 60000, RELOAD,
                "from accepting a connection to its whole PROXY header")

LISTENER_SECTION("TCP")
LISTENER_OPTION(INET, "nodelay", SWITCH, nodelay, 0, 1, RELOAD,
                "sends at once what there is to send; off: Nagle's algorithm may wait for more")
LISTENER_OPTION(INET, "tcp_keepalive", SECONDS, keepalive_s, 0, 32767, RELOAD,
                "of silence until TCP asks whether the peer is still there; 0: never")

LISTENER_SECTION("Handshakes")
LISTENER_OPTION(SHAKING, "handshake_timeout", MILLIS, handshake_timeout_ms, 100, 3600000, RELOAD,
                "from accepting a connection to the end of its TLS handshake and WebSocket "
                "upgrade, if sooner than mqtt.client.idle_timeout")

LISTENER_SECTION("WebSocket")
LISTENER_CHECKED(WEB, "path", paths, upgrade_paths_valid, "the path of a URL, such as /mqtt",
                 RELOAD,
                 "where in the URL MQTT is; several with commas between")
LISTENER_CHECKED(WEB, "origins", origins, origins_valid,
                 "a list of origins, https://NAME or https://*.NAME, with :PORT if they have one, "
                 "null or *", RELOAD,
                 "of which pages may connect, with commas between: https://example.com, "
                 "https://*.example.com, null, or * for all; empty: of this host only, and only by "
                 "its address or as localhost. Who is no browser names no origin, and may connect")
LISTENER_OPTION(WEB, "require_subprotocol", SWITCH, require_subprotocol, 0, 1, RELOAD,
                "refuse clients that do not offer the sub-protocol mqtt, as MQTT wants it")
LISTENER_OPTION(WEB, "proxy_address_header", TEXT, proxy_address_header, 0, 0, RELOAD,
                "where trusted proxies say whose request it is: X-Forwarded-For or X-Real-IP; "
                "empty: nowhere")
LISTENER_CHECKED(WEB, "trusted_proxies", trusted_proxies, networks_valid,
                 "a list of addresses or networks, such as 127.0.0.1, 10.0.0.0/8", RELOAD,
                 "addresses and networks of proxies whose proxy_address_header is believed: "
                 "127.0.0.1, 10.0.0.0/8")

LISTENER_SECTION("TLS")
LISTENER_OPTION(TLS, "certfile", TEXT, tls.certificates, 0, 0, RELOAD,
                "certificates in PEM, each a file with its chain, by commas. A client gets the one "
                "for the name it asks for, or the first. Read anew when they change, as all files")
LISTENER_OPTION(TLS, "keyfile", TEXT, tls.keys, 0, 0, RELOAD,
                "their private keys, in the same order; empty: in the files of the certificates")
LISTENER_OPTION(TLS, "key_password_file", TEXT, tls.password_file, 0, 0, RELOAD,
                "its first line opens encrypted keys")
LISTENER_OPTION(TLS, "cacertfile", TEXT, tls.ca_file, 0, 0, RELOAD,
                "the authorities whose client certificates are good")
LISTENER_OPTION(TLS, "cacertdir", TEXT, tls.ca_dir, 0, 0, RELOAD,
                "the same, a folder whose files are named by openssl rehash")
LISTENER_OPTION(TLS, "crlfile", TEXT, tls.crl_files, 0, 0, RELOAD,
                "revocation lists, by commas; with any, each authority of a chain must have one")
LISTENER_ENUM(TLS, "verify", tls.verify, verify_words, RELOAD,
              "whether clients are asked for a certificate, which must be good then")
LISTENER_OPTION(TLS, "fail_if_no_peer_cert", SWITCH, tls.fail_if_no_peer_cert, 0, 1, RELOAD,
                "refuses who has none, where verify = peer")
LISTENER_OPTION(TLS, "depth", NUMBER, tls.depth, 0, 100, RELOAD,
                "intermediate certificates between a client's and the authority's")
LISTENER_ENUM(TLS, "peer_cert_as_username", tls.username, tls_name_words, RELOAD,
              "what of the client's certificate is its username, whatever it says")
LISTENER_ENUM(TLS, "peer_cert_as_clientid", tls.client_id, tls_name_words, RELOAD,
              "what of it is its client identifier")
LISTENER_OPTION(TLS, "psk_file", TEXT, tls.psk_file, 0, 0, RELOAD,
                "pre-shared keys: lines IDENTITY:HEXKEY")
LISTENER_ENUM(TLS, "tls_versions", tls.versions, tls_version_words, RELOAD, "that are spoken")
LISTENER_OPTION(TLS, "ciphers", TEXT, tls.ciphers, 0, 0, RELOAD,
                "of TLS 1.2, as OpenSSL writes them; empty: those with forward secrecy and AEAD")
LISTENER_OPTION(TLS, "ciphersuites", TEXT, tls.ciphersuites, 0, 0, RELOAD,
                "of TLS 1.3; empty: OpenSSL's")
LISTENER_OPTION(TLS, "honor_cipher_order", SWITCH, tls.server_order, 0, 1, RELOAD,
                "the broker's order of ciphers counts, not the client's")
LISTENER_OPTION(TLS, "reuse_sessions", SWITCH, tls.tickets, 0, 1, RELOAD,
                "gives clients tickets with which they resume a session")
LISTENER_OPTION(TLS, "alpn", TEXT, tls.alpn, 0, 0, RELOAD,
                "protocols that a client may ask for, by commas; empty: mqtt, or http/1.1 for wss")

LISTENER_SECTION("Unix sockets")
LISTENER_OPTION(UNIX, "mode", OCTAL, socket_mode, 0, 0777, RELOAD,
                "who may connect: the mode of the socket's file")
LISTENER_OPTION(UNIX, "owner", TEXT, socket_owner, 0, 0, RELOAD,
                "whose the socket's file is; empty: the broker's user")
LISTENER_OPTION(UNIX, "group", TEXT, socket_group, 0, 0, RELOAD,
                "the group of the socket's file; empty: the broker's")
