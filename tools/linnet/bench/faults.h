/* What went wrong, and how often: a few kinds, each in words. Zeroed it is empty. One thread. */
#ifndef LINNET_TOOLS_LINNET_BENCH_FAULTS_H
#define LINNET_TOOLS_LINNET_BENCH_FAULTS_H

#include <stdint.h>

enum { FAULT_KINDS = 24, FAULT_TEXT_SIZE = 96 };

struct fault {
        char     what[FAULT_TEXT_SIZE];
        uint64_t count;
};

struct faults {
        unsigned     kinds;
        struct fault list[FAULT_KINDS];
};

/* "CONNACK", "Not authorized". When there are too many kinds it is "and others". */
void faults_note(struct faults *faults, const char *where, const char *why);
void faults_add(struct faults *to, const struct faults *from);

#endif
