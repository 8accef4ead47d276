#include "services/guard/ban.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>

#include "base/memory.h"

enum { KEY_MAX = 2 + BAN_TEXT_MAX, WORDS = 6 };

struct entry {
        struct ban ban;                 /* its strings are in `bytes` */
        unsigned   bits;                /* of a network */
        uint16_t   key_len;
        char       bytes[];             /* key, what, why, by */
};

static const char *const kind_names[BAN_KINDS] = { "address", "clientid", "username" };

static struct str entry_key(const void *value)
{
        const struct entry *entry = value;

        return str_from(entry->bytes, entry->key_len);
}

static bool is_over(const struct ban *ban, uint64_t now_s)
{
        return ban->until_s != 0 && ban->until_s <= now_s;
}

static struct str key_of_network(const struct network *network, char to[static KEY_MAX])
{
        to[0] = BAN_ADDRESS;
        to[1] = (char)network->bits;
        memcpy(to + 2, &network->address, sizeof network->address);
        return str_from(to, 2 + sizeof network->address);
}

static struct str key_of_name(enum ban_kind kind, struct str name, char to[static KEY_MAX])
{
        assert(name.len <= BAN_TEXT_MAX);
        to[0] = (char)kind;
        if (name.len > 0)
                memcpy(to + 1, name.ptr, name.len);
        return str_from(to, 1 + name.len);
}

/* False when there can be no such ban. */
static bool key_of(enum ban_kind kind, struct str what, char to[static KEY_MAX], struct str *key,
                   unsigned *bits)
{
        struct network network;

        *bits = 0;
        if (what.len == 0 || what.len > BAN_TEXT_MAX || kind >= BAN_KINDS)
                return false;
        if (kind != BAN_ADDRESS) {
                *key = key_of_name(kind, what, to);
                return true;
        }
        if (!network_valid(what) || !network_parse(what, &network))
                return false;
        *bits = network.bits;
        *key  = key_of_network(&network, to);
        return true;
}

void ban_table_init(struct ban_table *table, struct hash_key key)
{
        *table = (struct ban_table){ .changes = 0 };
        map_init(&table->map, entry_key, key);
}

void ban_table_deinit(struct ban_table *table)
{
        size_t at = 0;
        void  *entry;

        while ((entry = map_next(&table->map, &at)) != NULL)
                mem_free(entry);
        map_deinit(&table->map);
}

static void take_out(struct ban_table *table, struct str key)
{
        struct entry *entry = map_remove(&table->map, key);

        if (entry == NULL)
                return;
        table->count[entry->ban.kind]--;
        if (entry->ban.kind == BAN_ADDRESS)
                table->of_bits[entry->bits]--;
        table->changes++;
        mem_free(entry);
}

static void take_out_those_over(struct ban_table *table, uint64_t now_s)
{
        const struct entry *entry;
        size_t              at = 0;

        while ((entry = map_next(&table->map, &at)) != NULL) {
                if (!is_over(&entry->ban, now_s))
                        continue;
                take_out(table, entry_key(entry));
                at--;                   /* what stood behind it may be there now */
        }
}

static struct str put(char **at, struct str bytes)
{
        struct str copy = { *at, bytes.len };

        if (bytes.len > 0)
                memcpy(*at, bytes.ptr, bytes.len);
        *at += bytes.len;
        return copy;
}

enum ban_result ban_add(struct ban_table *table, const struct ban *ban, uint64_t now_s)
{
        char          bytes[KEY_MAX], *at;
        struct str    key;
        struct entry *entry;
        unsigned      bits;

        if (!key_of(ban->kind, ban->what, bytes, &key, &bits) || ban->why.len > BAN_TEXT_MAX ||
            ban->by.len > BAN_TEXT_MAX)
                return BAN_INVALID;
        if (table->map.count >= BANS_MAX && map_find(&table->map, key) == NULL)
                take_out_those_over(table, now_s);
        if (table->map.count >= BANS_MAX && map_find(&table->map, key) == NULL)
                return BAN_FULL;
        entry = mem_alloc(sizeof *entry + key.len + ban->what.len + ban->why.len + ban->by.len);
        if (entry == NULL)
                return BAN_NO_MEMORY;
        at             = entry->bytes;
        entry->ban     = *ban;
        entry->bits    = bits;
        entry->key_len = (uint16_t)key.len;
        put(&at, key);
        entry->ban.what = put(&at, ban->what);
        entry->ban.why  = put(&at, ban->why);
        entry->ban.by   = put(&at, ban->by);
        take_out(table, key);
        if (!map_add(&table->map, entry)) {
                mem_free(entry);
                return BAN_NO_MEMORY;
        }
        table->count[ban->kind]++;
        table->of_bits[bits] += ban->kind == BAN_ADDRESS;
        table->changes++;
        return BAN_DONE;
}

bool ban_remove(struct ban_table *table, enum ban_kind kind, struct str what)
{
        uint64_t   before = table->changes;
        char       bytes[KEY_MAX];
        struct str key;
        unsigned   bits;

        if (key_of(kind, what, bytes, &key, &bits))
                take_out(table, key);
        return table->changes != before;
}

static const struct ban *find(const struct ban_table *table, struct str key, uint64_t now_s)
{
        const struct entry *entry = map_find(&table->map, key);

        return entry != NULL && !is_over(&entry->ban, now_s) ? &entry->ban : NULL;
}

/* One look for each length of prefix that there is. */
const struct ban *ban_of_address(const struct ban_table *table, const struct address *address,
                                 uint64_t now_s)
{
        enum { V6_BITS = 128, V4_OFFSET = 96 };
        char bytes[KEY_MAX];

        for (unsigned bits = 0; table->count[BAN_ADDRESS] > 0 && bits <= V6_BITS; bits++) {
                const struct ban *ban;
                struct network    network;
                unsigned          v4_bits = bits > V4_OFFSET ? bits - V4_OFFSET : 0;

                if (table->of_bits[bits] == 0 || !network_of(address, v4_bits, bits, &network) ||
                    network.bits != bits)
                        continue;
                ban = find(table, key_of_network(&network, bytes), now_s);
                if (ban != NULL)
                        return ban;
        }
        return NULL;
}

const struct ban *ban_of_name(const struct ban_table *table, enum ban_kind kind, struct str name,
                              uint64_t now_s)
{
        char bytes[KEY_MAX];

        if (table->count[kind] == 0 || name.len == 0 || name.len > BAN_TEXT_MAX)
                return NULL;
        return find(table, key_of_name(kind, name, bytes), now_s);
}

const struct ban *ban_next(const struct ban_table *table, size_t *at, uint64_t now_s)
{
        const struct entry *entry;

        while ((entry = map_next(&table->map, at)) != NULL)
                if (!is_over(&entry->ban, now_s))
                        return &entry->ban;
        return NULL;
}

const char *ban_kind_name(enum ban_kind kind)
{
        return kind_names[kind];
}

enum ban_kind ban_kind_of(struct str name)
{
        unsigned kind = 0;

        while (kind < BAN_KINDS && !str_eq(name, str_of(kind_names[kind])))
                kind++;
        return (enum ban_kind)kind;
}

static void write_word(struct buffer *to, struct str word)
{
        if (word.len == 0 || str_eq(word, STR("-")))
                buffer_append(to, word.len == 0 ? STR("-") : STR("%2D"));
        for (size_t i = 0; i < word.len && !str_eq(word, STR("-")); i++) {
                unsigned char byte = (unsigned char)word.ptr[i];

                if (byte <= ' ' || byte == '%' || byte == '#' || byte == 0x7f)
                        buffer_printf(to, "%%%02X", byte);
                else
                        buffer_append(to, str_from(&word.ptr[i], 1));
        }
}

void ban_write_line(struct buffer *to, const struct ban *ban)
{
        buffer_printf(to, "%s ", kind_names[ban->kind]);
        write_word(to, ban->what);
        buffer_printf(to, " %" PRIu64 " %" PRIu64 " ", ban->until_s, ban->at_s);
        write_word(to, ban->by);
        buffer_append(to, STR(" "));
        write_word(to, ban->why);
        buffer_append(to, STR("\n"));
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: what was escaped only becomes shorter. */
static bool read_word(char *word, size_t len, struct str *out)
{
        size_t to = 0;

        if (len == 1 && word[0] == '-')
                len = 0;
        for (size_t from = 0; from < len; from++) {
                if (word[from] != '%') {
                        word[to++] = word[from];
                        continue;
                }
                if (len - from < 3 || hex_digit(word[from + 1]) < 0 ||
                    hex_digit(word[from + 2]) < 0)
                        return false;
                word[to++] = (char)(hex_digit(word[from + 1]) * 16 + hex_digit(word[from + 2]));
                from += 2;
        }
        *out = str_from(word, to);
        return true;
}

static bool read_number(struct str word, uint64_t *out)
{
        *out = 0;
        for (size_t i = 0; i < word.len; i++)
                if (!isdigit((unsigned char)word.ptr[i]) ||
                    __builtin_mul_overflow(*out, 10, out) ||
                    __builtin_add_overflow(*out, (unsigned)(word.ptr[i] - '0'), out))
                        return false;
        return word.len > 0;
}

bool ban_read_line(char *line, size_t len, struct ban *out)
{
        struct str rest = { line, len }, words[WORDS];
        unsigned   count = 0;

        *out = (struct ban){ .kind = BAN_KINDS };
        while (count < WORDS && str_cut(&rest, ' ', &words[count])) {
                char *word = line + (words[count].ptr - line);

                if (words[count].len == 0 || !read_word(word, words[count].len, &words[count]))
                        return false;
                count++;
        }
        if (count < WORDS || rest.ptr != NULL || !read_number(words[2], &out->until_s) ||
            !read_number(words[3], &out->at_s))
                return false;
        out->kind = ban_kind_of(words[0]);
        out->what = words[1];
        out->by   = words[4];
        out->why  = words[5];
        return out->kind != BAN_KINDS;
}
