#include "player.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/config.h"
#include "build.h"
#include "harness/authenticator.h"
#include "base/memory.h"
#include "harness/world.h"
#include "mqtt/decode.h"
#include "services/acl/acl.h"
#include "show.h"

enum { CLIENTS_MAX = 32, PACKET_BYTES = 1 << 19 };

struct player_client {
        char              name[32];
        char              assigned[64]; /* the client id that the broker gave last */
        struct transport *end;          /* NULL: not connected */
        struct buffer     unread;
        bool              done;         /* the broker closed */
        enum mqtt_version version;
        int               shard;
        uint16_t          last_id;
};

struct player {
        const char          *path;
        unsigned             line, shards;
        bool                 skipped;   /* is for more shards than these */
        struct config        config;
        struct authenticator authenticator;
        struct world        *world;     /* begins with the first client */
        struct vault        *vault;     /* what its store has committed */
        uint64_t             restarts;
        struct buffer        rules;     /* `acl` lines */
        struct acl          *acl;       /* the world's */
        struct player_client clients[CLIENTS_MAX];
        unsigned             count;
};

static bool complain(const struct player *player, const char *expected, const char *got)
{
        printf("%s:%u: (shards=%u) expected %s\n        got %s\n", player->path, player->line,
               player->shards, expected, got);
        return false;
}

static void describe(const struct words *words, unsigned first, char *to, size_t size)
{
        size_t len = 0;

        to[0] = '\0';
        for (unsigned i = first; i < words->count && len < size; i++)
                len += (size_t)snprintf(to + len, size - len, "%s ", words->word[i]);
}

static struct player_client *client_named(struct player *player, const char *name)
{
        for (unsigned i = 0; i < player->count; i++) {
                if (strcmp(player->clients[i].name, name) == 0)
                        return &player->clients[i];
        }
        if (player->count == CLIENTS_MAX)
                return NULL;

        struct player_client *client = &player->clients[player->count++];

        snprintf(client->name, sizeof client->name, "%s", name);
        client->version = MQTT_3_1_1;
        client->shard   = -1;
        return client;
}

static void client_drop(struct player_client *client)
{
        if (client->end != NULL)
                client->end->ops->free(client->end);
        client->end  = NULL;
        client->done = false;
        buffer_deinit(&client->unread);
}

static bool client_open(struct player *player, struct player_client *client)
{
        if (client->end == NULL)
                client->end = world_connect(player->world, client->shard);
        return client->end != NULL;
}

static void client_read(struct player_client *client)
{
        char    bytes[65536];
        ssize_t count = -1;

        while (client->end != NULL && !client->done &&
               (count = client->end->ops->read(client->end, bytes, sizeof bytes)) > 0)
                buffer_append(&client->unread, str_from(bytes, (size_t)count));
        if (count == 0)
                client->done = true;
}

/* Shows the next packet; false when there is none. */
static bool client_next(struct player_client *client, struct buffer *shown)
{
        struct str          unread = buffer_str(&client->unread);
        struct frame        frame;
        struct packet       packet;
        struct decode_error error;

        if (frame_peek(unread, &frame) != FRAME_WHOLE) {
                if (unread.len > 0)
                        buffer_printf(shown, "half-a-packet bytes=%zu\n", unread.len);
                return unread.len > 0;
        }
        if (!decode(&frame, str_from(unread.ptr + frame.header_size, frame.body_size),
                    client->version, &packet, &error)) {
                buffer_printf(shown, "undecodable type=%s why=%s\n", packet_name(frame.type),
                              error.what);
        } else {
                show_packet(shown, &packet, client->version);
                if (packet.type == PACKET_CONNACK &&
                    property_has(&packet.connack.properties, PROPERTY_ASSIGNED_CLIENT_ID))
                        snprintf(client->assigned, sizeof client->assigned, "%.*s",
                                 STR_ARGS(packet.connack.properties.assigned_client_id));
                if (packet.type == PACKET_PUBLISH && packet.publish.qos > 0)
                        client->last_id = packet.publish.packet_id;
        }
        buffer_consume(&client->unread, frame.header_size + frame.body_size);
        return true;
}

static bool expect(struct player *player, struct player_client *client, const struct words *words,
                   unsigned first)
{
        struct buffer shown = { 0 };
        char          wanted[1024];
        const char   *what = first < words->count ? words->word[first] : "";
        bool          any, fine;

        if (!world_run(player->world))
                return complain(player, "an end of turns", "loops that never rest");
        client_read(client);
        describe(words, first, wanted, sizeof wanted);
        any = client_next(client, &shown);
        if (strcmp(what, "nothing") == 0)
                fine = !any && !client->done;
        else if (strcmp(what, "closed") == 0)
                fine = !any && (client->done || client->end == NULL);
        else
                fine = any && show_matches(buffer_str(&shown), words, first);
        if (!fine) {
                buffer_append(&shown, str_from("", 1));
                for (char *p = shown.bytes; p != NULL && *p != '\0'; p++)
                        *p = *p == '\n' ? ' ' : *p;
                complain(player, wanted, any ? shown.bytes : client->done ? "closed" : "nothing");
        }
        if (fine && strcmp(what, "closed") == 0)
                client_drop(client);
        buffer_deinit(&shown);
        return fine;
}

static bool client_write(struct player *player, struct player_client *client, const char *bytes,
                         size_t size)
{
        while (size > 0) {
                struct iovec part = { (void *)(uintptr_t)bytes, size };
                ssize_t      done = client->end->ops->write(client->end, &part, 1);

                if (done < 0) /* the broker closed: what is expected next will say so */
                        return true;
                bytes += done;
                size -= (size_t)done;
                if (!world_run(player->world))
                        return complain(player, "an end of turns", "loops that never rest");
        }
        return true;
}

static bool client_send(struct player *player, struct player_client *client, const char *verb,
                        const struct words *words)
{
        static char bytes[PACKET_BYTES];
        size_t      size;

        if (strcmp(verb, "connect") == 0) {
                client_read(client);
                if (client->done)
                        client_drop(client);
                client->version = (enum mqtt_version)words_number(words, "version", MQTT_3_1_1);
        }
        if (strcmp(verb, "send") == 0) {
                client->version =
                        (enum mqtt_version)words_number(words, "version", client->version);
                size = build_hex((unsigned char *)bytes, sizeof bytes, words,
                                 words_value(words, "version", 0) ? 4 : 3);
        } else {
                struct build_client sender = { client->version, client->name, client->assigned,
                                              client->last_id };

                size = build_packet(bytes, sizeof bytes, verb, words, &sender);
        }
        if (size == 0)
                return complain(player, "a packet that can be made of this line", verb);
        return client_open(player, client) && client_write(player, client, bytes, size);
}

/* "a|b expect ...": one of them got something, the others nothing. */
static bool expect_of_one(struct player *player, const struct words *words)
{
        struct player_client *got = NULL;
        struct str            names = str_of(words->word[1]), name;
        unsigned              count = 0;

        if (!world_run(player->world))
                return complain(player, "an end of turns", "loops that never rest");
        while (str_cut(&names, '|', &name)) {
                char text[32];

                snprintf(text, sizeof text, "%.*s", STR_ARGS(name));

                struct player_client *client = client_named(player, text);

                if (client == NULL)
                        return complain(player, "at most 32 clients", text);
                client_read(client);
                if (buffer_len(&client->unread) == 0)
                        continue;
                got = client;
                count++;
        }
        if (count != 1)
                return complain(player, "that one of them gets it", count > 0 ? "more" : "none");
        return expect(player, got, words, 3);
}

static bool play_client(struct player *player, const struct line *line)
{
        const struct words *words = &line->does;

        if (strchr(words->word[1], '|') != NULL && strcmp(words->word[2], "expect") == 0)
                return expect_of_one(player, words);

        struct player_client *client = client_named(player, words->word[1]);
        const char           *verb   = words->word[2];
        bool                  fine   = true;

        if (client == NULL)
                return complain(player, "at most 32 clients", words->word[1]);
        if (strcmp(verb, "expect") == 0)
                return expect(player, client, words, 3);
        if (strcmp(verb, "on") == 0)
                client->shard = (int)words_number(words, "shard", 0);
        else if (strcmp(verb, "cut") == 0)
                client_drop(client);
        else if (strcmp(verb, "open") == 0)
                fine = client_open(player, client);
        else if (strcmp(verb, "shut") == 0 && client->end != NULL)
                client->end->ops->shut(client->end);
        else
                fine = client_send(player, client, verb, words);
        if (fine && !world_run(player->world))
                return complain(player, "an end of turns", "loops that never rest");
        return fine && (line->expects.count == 0 || expect(player, client, &line->expects, 0));
}

static bool play_set(struct player *player, const char *word)
{
        char        why[OPTION_WHY_SIZE] = "";
        const char *equals               = strchr(word, '=');

        if (equals == NULL || player->world != NULL)
                return complain(player, "set key=value before the first client", word);
        if (strncmp(word, "test.auth=", (size_t)(equals - word) + 1) == 0)
                return authenticator_parse(&player->authenticator, str_of(equals + 1)) ||
                       complain(player, "users, topics, exchange, late or never", equals + 1);
        if (strncmp(word, "test.shards=", (size_t)(equals - word) + 1) == 0) {
                player->skipped = player->shards < strtoul(equals + 1, NULL, 10);
                return true;
        }
        if (!config_set(&player->config, str_from(word, (size_t)(equals - word)),
                        str_of(equals + 1), why))
                return complain(player, word, why);
        return true;
}

/* The `acl` lines so far, as a file. */
static bool read_rules(struct player *player, struct acl_rules **out)
{
        char why[ACL_WHY_SIZE];

        *out = NULL;
        if (buffer_len(&player->rules) == 0)
                return true;
        *out = acl_rules_parse("acl", buffer_str(&player->rules), ACL_AUTO, why);
        return *out != NULL || complain(player, "rules without a mistake", why);
}

static bool prepare_broker(struct broker *broker, void *context)
{
        struct player    *player = context;
        struct acl_rules *rules;

        if (!authenticator_add(broker, &player->authenticator) || !read_rules(player, &rules))
                return false;
        player->acl = acl_new(broker);
        if (player->acl == NULL)
                return false;
        acl_begin(player->acl, rules);
        return true;
}

static void end_world(struct player *player, void (*end)(struct world *world))
{
        if (player->world != NULL)
                end(TAKE(player->world));
        acl_free(TAKE(player->acl));
}

static bool begin_world(struct player *player, uint64_t start_ms)
{
        struct client_listener  listener = { .name = NULL };
        const struct world_plan plan     = {
                .shards     = player->shards,
                .settings   = &player->config.settings,
                .auth       = &player->config.auth,
                .seed       = 1 + player->restarts,
                .start_ms   = start_ms,
                .durability = player->config.durability,
                .listener   = &listener,
                .vault      = player->vault,
                .prepare    = prepare_broker,
                .context    = player,
        };

        config_listener_terms(&player->config.listeners[0], &listener);
        player->world = world_new(&plan);
        return player->world != NULL || complain(player, "a world", "no memory");
}

/* What the process is made to go through. */
static bool play_broker(struct player *player, const char *what)
{
        uint64_t          now_ms = player->world->now.mono_ms;
        struct acl_rules *rules;

        if (strcmp(what, "full") == 0 || strcmp(what, "tight") == 0 || strcmp(what, "room") == 0) {
                vault_fill_after(player->vault, strcmp(what, "full") == 0 ? 0 : UINT64_MAX);
                vault_tighten(player->vault, strcmp(what, "tight") == 0);
                return true;
        }
        if (strcmp(what, "reload") == 0)
                return read_rules(player, &rules) && acl_apply(player->acl, rules) &&
                       world_run(player->world);
        if (strcmp(what, "crash") != 0)
                return complain(player, "crash, full, tight, room or reload", what);
        for (unsigned i = 0; i < player->count; i++)
                client_drop(&player->clients[i]);
        end_world(player, world_crash);
        player->restarts++;
        return begin_world(player, now_ms);
}

static bool play_line(struct player *player, const char *text)
{
        struct line         line;
        const struct words *words = &line.does;

        if (strncmp(text, "acl ", 4) == 0)         /* as it stands: it is another language */
                return buffer_append(&player->rules, str_of(text + 4));
        if (!line_parse(&line, text))
                return complain(player, "a shorter line", "one too long");
        if (words->count == 0)
                return true;
        if (strcmp(words->word[0], "set") == 0 && words->count == 2)
                return play_set(player, words->word[1]);
        if (player->world == NULL && !begin_world(player, 0))
                return false;
        if (strcmp(words->word[0], "time") == 0 && words->count == 2) {
                char         *unit;
                unsigned long time = strtoul(words->word[1], &unit, 10);

                return world_advance(player->world, strcmp(unit, "ms") == 0 ? time : time * 1000);
        }
        if (strcmp(words->word[0], "no-acl") == 0) {
                buffer_deinit(&player->rules);
                return true;
        }
        if (strcmp(words->word[0], "client") == 0 && words->count >= 3)
                return play_client(player, &line);
        if (strcmp(words->word[0], "broker") == 0 && words->count == 2)
                return play_broker(player, words->word[1]);
        return complain(player, "set, time, client or broker", words->word[0]);
}

bool play(const char *path, unsigned shards, enum durability durability)
{
        static struct player player;
        char                 text[LINE_BYTES_MAX];
        FILE                *file = fopen(path, "r");
        bool                 fine = file != NULL;

        memset(&player, 0, sizeof player);
        player.path   = path;
        player.shards = shards;
        player.vault  = vault_new();
        config_init(&player.config);
        player.config.durability               = durability;
        player.config.settings.store_linger_ms = 0;     /* its clock stands still */
        if (!fine || player.vault == NULL)
                return complain(&player, "a file that can be read", path);
        while (fine && !player.skipped && fgets(text, sizeof text, file) != NULL) {
                player.line++;
                fine = play_line(&player, text);
        }
        fclose(file);
        for (unsigned i = 0; i < player.count; i++)
                client_drop(&player.clients[i]);
        while (player.authenticator.owed > 0 &&     /* a PUBLISH waits for its answer */
               world_advance(player.world, AUTHENTICATOR_DELAY_MS))
                ;
        end_world(&player, world_free);
        buffer_deinit(&player.rules);
        vault_free(player.vault);
        if (player.authenticator.owed > 0)
                fine = complain(&player, "no answer owed to who is gone", "some");
        return fine;
}
