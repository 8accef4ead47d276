/* Why an operation of ours failed. What a peer is told is a reason code (mqtt/reason.h). */
#ifndef LINNET_BASE_ERROR_H
#define LINNET_BASE_ERROR_H

#define ERRORS(X)                                                                                  \
        X(ERR_NONE, "no error")                                                                    \
        X(ERR_NO_MEMORY, "out of memory")                                                          \
        X(ERR_MALFORMED, "bytes do not form what they should")                                     \
        X(ERR_LIMIT, "a configured limit was reached")                                             \
        X(ERR_DENIED, "refused by an access rule")                                                 \
        X(ERR_EXISTS, "there is one already")                                                      \
        X(ERR_NOT_FOUND, "there is no such thing")                                                 \
        X(ERR_SYSTEM, "a system call failed")

enum error {
#define X(name, text) name,
        ERRORS(X)
#undef X
        ERROR_COUNT
};

/* The words of the table above; static storage. */
const char *error_text(enum error error);

#endif
