#include "faults.h"

#include <stdio.h>
#include <string.h>

static void count(struct faults *faults, const char *what, uint64_t times)
{
        struct fault *fault;

        for (unsigned i = 0; i < faults->kinds; i++) {
                if (strcmp(faults->list[i].what, what) == 0) {
                        faults->list[i].count += times;
                        return;
                }
        }
        if (faults->kinds == FAULT_KINDS) {
                faults->list[FAULT_KINDS - 1].count += times;
                return;
        }
        fault = &faults->list[faults->kinds++];
        snprintf(fault->what, sizeof(fault->what), "%s",
                 faults->kinds == FAULT_KINDS ? "and others" : what);
        fault->count = times;
}

void faults_note(struct faults *faults, const char *where, const char *why)
{
        char what[FAULT_TEXT_SIZE];

        snprintf(what, sizeof(what), "%s: %s", where, why);
        count(faults, what, 1);
}

void faults_add(struct faults *to, const struct faults *from)
{
        for (unsigned i = 0; i < from->kinds; i++)
                count(to, from->list[i].what, from->list[i].count);
}
