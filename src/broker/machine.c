#include "broker/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { GROUP_PATH_SIZE = 1024 };

/* The number in a file; 0 when there is none ("max", or no such file). */
static uint64_t number_in(const char *root, const char *folder, const char *path, const char *name)
{
        char     file[2 * GROUP_PATH_SIZE];
        uint64_t number = 0;
        int      len    = snprintf(file, sizeof file, "%s%s%s%s", root, folder, path, name);
        FILE    *in     = len > 0 && (size_t)len < sizeof file ? fopen(file, "re") : NULL;

        if (in == NULL)
                return 0;
        if (fscanf(in, "%" SCNu64, &number) != 1)
                number = 0;
        fclose(in);
        return number;
}

static uint64_t total(const char *root)
{
        char     file[GROUP_PATH_SIZE], line[256];
        uint64_t kilobytes = 0;
        FILE    *in;

        snprintf(file, sizeof file, "%s/proc/meminfo", root);
        in = fopen(file, "re");
        while (in != NULL && kilobytes == 0 && fgets(line, sizeof line, in) != NULL)
                if (sscanf(line, "MemTotal: %" SCNu64 " kB", &kilobytes) != 1)
                        kilobytes = 0;
        if (in != NULL)
                fclose(in);
        return kilobytes * 1024;
}

static uint64_t least(uint64_t a, uint64_t b)
{
        return b != 0 && (a == 0 || b < a) ? b : a;
}

/* A group is bound by those above it, too. */
static uint64_t least_of_groups(const char *root, const char *folder, char *path, const char *name)
{
        uint64_t bytes = number_in(root, folder, "", name);

        while (path[0] != '\0') {
                bytes                   = least(bytes, number_in(root, folder, path, name));
                *strrchr(path, '/') = '\0';
        }
        return bytes;
}

uint64_t machine_memory(const char *root)
{
        char     file[GROUP_PATH_SIZE], line[GROUP_PATH_SIZE];
        uint64_t bytes = total(root);
        FILE    *in;

        snprintf(file, sizeof file, "%s/proc/self/cgroup", root);
        in = fopen(file, "re");
        while (in != NULL && fgets(line, sizeof line, in) != NULL) {
                char *path = strchr(line, '/');

                line[strcspn(line, "\n")] = '\0';
                if (path == NULL)
                        continue;
                if (strncmp(line, "0::", 3) == 0)
                        bytes = least(bytes, least_of_groups(root, "/sys/fs/cgroup", path,
                                                             "/memory.max"));
                else if (strstr(line, ":memory:") != NULL)
                        bytes = least(bytes, least_of_groups(root, "/sys/fs/cgroup/memory", path,
                                                             "/memory.limit_in_bytes"));
        }
        if (in != NULL)
                fclose(in);
        return bytes;
}
