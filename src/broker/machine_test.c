#include "broker/machine.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[64];

static void begin(void)
{
        snprintf(root, sizeof root, "/tmp/linnet-machine-XXXXXX");
        EXPECT(mkdtemp(root) != NULL);
}

static void end(void)
{
        char command[128];

        snprintf(command, sizeof command, "rm -r %s", root);
        EXPECT_EQ(system(command), 0);
}

/* Makes the folders on the way. */
static void put(const char *path, const char *text)
{
        char  file[512];
        FILE *out;

        snprintf(file, sizeof file, "%s%s", root, path);
        for (char *at = strchr(file + strlen(root) + 1, '/'); at != NULL;
             at = strchr(at + 1, '/')) {
                *at = '\0';
                mkdir(file, 0700);
                *at = '/';
        }
        out = fopen(file, "w");
        EXPECT(out != NULL);
        fputs(text, out);
        fclose(out);
}

TEST(the_least_of_machine_and_groups_counts)
{
        begin();
        EXPECT_EQ(machine_memory(root), 0);
        put("/proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\n");
        EXPECT_EQ(machine_memory(root), 8192000000);
        put("/proc/self/cgroup", "0::/system.slice/linnet.service\n");
        put("/sys/fs/cgroup/system.slice/linnet.service/memory.max", "max\n");
        EXPECT_EQ(machine_memory(root), 8192000000);
        put("/sys/fs/cgroup/system.slice/memory.max", "1000000\n");
        EXPECT_EQ(machine_memory(root), 1000000);
        put("/sys/fs/cgroup/system.slice/linnet.service/memory.max", "500000\n");
        EXPECT_EQ(machine_memory(root), 500000);
        end();
}

TEST(the_older_groups_count_too)
{
        begin();
        put("/proc/meminfo", "MemTotal: 1000 kB\n");
        put("/proc/self/cgroup", "9:cpu:/a\n4:memory:/docker/abc\n");
        put("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
        EXPECT_EQ(machine_memory(root), 1024000);
        put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "77\n");
        EXPECT_EQ(machine_memory(root), 77);
        end();
}

SUITE(machine, CASE(the_least_of_machine_and_groups_counts), CASE(the_older_groups_count_too))
