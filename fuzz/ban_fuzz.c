/* A line of the file of bans: what is taken is written as a line that says the same, whatever bytes
 * its words have; a table takes it only within its bounds, and gives it back. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "services/guard/ban.h"

static bool same(const struct ban *a, const struct ban *b)
{
        return a->kind == b->kind && a->at_s == b->at_s && a->until_s == b->until_s &&
               str_eq(a->what, b->what) && str_eq(a->by, b->by) && str_eq(a->why, b->why);
}

static void check_written(const struct ban *ban)
{
        struct buffer line = { 0 };
        struct ban    again;

        ban_write_line(&line, ban);

        struct str bytes = buffer_str(&line);

        assert(memchr(bytes.ptr, '\n', bytes.len) == bytes.ptr + bytes.len - 1);
        assert(ban_read_line(line.bytes, bytes.len - 1, &again) && same(ban, &again));
        buffer_deinit(&line);
}

static void check_table(const struct ban *ban)
{
        struct ban_table table;
        size_t           at = 0;

        ban_table_init(&table, (struct hash_key){ 1, 2 });
        if (ban_add(&table, ban, 1) == BAN_DONE) {
                const struct ban *kept = ban_next(&table, &at, 1);

                assert(ban->what.len <= BAN_TEXT_MAX && ban->why.len <= BAN_TEXT_MAX &&
                       ban->by.len <= BAN_TEXT_MAX);
                assert(kept == NULL ? ban->until_s == 1 : same(ban, kept));
                assert(ban_remove(&table, ban->kind, ban->what) && table.map.count == 0);
        }
        ban_table_deinit(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static char line[BAN_LINE_MAX];
        struct ban  ban;

        if (size > sizeof line || memchr(data, '\n', size) != NULL)
                return -1;
        memcpy(line, data, size);
        if (!ban_read_line(line, size, &ban))
                return 0;
        assert(ban.kind < BAN_KINDS);
        check_written(&ban);
        check_table(&ban);
        return 0;
}
