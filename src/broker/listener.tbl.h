/* Every option of a listener: which types have it (TCP | TLS | ..., or ALL), key, kind, field of
 * struct config_listener, least and greatest value in the field's own unit, whether a reload
 * applies it (RELOAD) or only a restart (FIXED), its help. ENUMs name their words instead of the
 * two bounds. The defaults are in config_listener.c. */
LISTENER_SECTION("Every listener")
LISTENER_OPTION(ALL, "max_clients", NUMBER, max_connections, 0, UINT32_MAX, FIXED,
                "connections at once; 0: no limit")
LISTENER_OPTION(ALL, "backlog", NUMBER, backlog, 1, 65535, FIXED,
                "connections the kernel holds until they are accepted")
LISTENER_ENUM(ALL, "durability", durability, option_durabilities, FIXED,
              "less than the broker's durability for its clients: relaxed or memory")

LISTENER_SECTION("Unix sockets")
LISTENER_OPTION(UNIX, "mode", OCTAL, socket_mode, 0, 0777, FIXED,
                "who may connect: the mode of the socket's file")
LISTENER_OPTION(UNIX, "owner", TEXT, socket_owner, 0, 0, FIXED,
                "whose the socket's file is; empty: the broker's user")
LISTENER_OPTION(UNIX, "group", TEXT, socket_group, 0, 0, FIXED,
                "the group of the socket's file; empty: the broker's")
LISTENER_OPTION(UNIX, "use_identity_as_username", SWITCH, identity_as_username, 0, 1, FIXED,
                "the client's username is what its connection proves, whatever it says: uid:NUMBER")
