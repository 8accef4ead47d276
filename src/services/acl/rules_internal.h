/* Rules as they are laid out, and how they are put there. */
#ifndef LINNET_SERVICES_ACL_RULES_INTERNAL_H
#define LINNET_SERVICES_ACL_RULES_INTERNAL_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/map.h"
#include "net/network.h"
#include "services/acl/filter.h"
#include "services/acl/rules.h"

/* A run of bytes in acl_rules.text. */
struct piece {
        uint32_t at, len;
};

/* For whom, in prefix order: the members of AND and OR lie behind it, up to `end`. */
enum who_kind { WHO_ALL, WHO_ANONYMOUS, WHO_ANY_USER, WHO_USER, WHO_CLIENT, WHO_NETWORK, WHO_AND,
                WHO_OR };

struct acl_who {
        enum who_kind  kind;
        uint32_t       end;             /* index behind it and its members */
        struct piece   name;            /* of USER, CLIENT */
        struct network network;
};

struct acl_topic {
        struct piece text;
        bool         eq;                /* the filter itself, not what it matches */
        bool         holes;
        bool         wild;
};

enum { ACT_PUBLISH = 1, ACT_SUBSCRIBE = 2 };
enum { QOS_ANY = 7 };
enum acl_retain { RETAIN_ANY, RETAIN_OFF, RETAIN_ON };

struct acl_rule {
        bool            allow;
        bool            pattern;        /* of Mosquitto's */
        uint8_t         actions;        /* ACT_ */
        uint8_t         qos;            /* a bit for each */
        enum acl_retain retain;         /* of PUBLISH */
        uint32_t        line;
        uint32_t        who;            /* index of the first acl_who */
        uint32_t        topic, topics;  /* the first, how many; 0: all topics */
};

/* The rules for one name. */
struct acl_bucket {
        struct str name;                /* in acl_rules.text */
        uint32_t   first, count;        /* in acl_rules.listed */
};

struct acl_rules {
        _Atomic uint32_t   refs;
        bool               mosquitto;
        bool               networks;    /* some rule is for one */
        struct buffer      text;
        struct acl_rule   *rules;       /* in the order in which they are asked; owned, as below */
        struct acl_who    *who;
        struct acl_topic  *topics;
        uint32_t           rule_count, who_count, topic_count;
        struct acl_bucket *buckets;
        struct map         users, clients;      /* name -> bucket */
        uint32_t          *listed;              /* rules by bucket; then those in none */
        uint32_t           general, general_count;
};

/* Where a parser is. */
struct acl_reader {
        const char       *name;
        struct str        rest;
        const char       *line_start;
        unsigned          line;
        char             *why;
        struct acl_rules *rules;
};

/* "name:line:column: what" for the place `at`, in reader->why. Returns false. */
__attribute__((format(printf, 3, 4)))
bool acl_wrong(const struct acl_reader *reader, const char *at, const char *format, ...);

/* These add to reader->rules; false: it is too much, or no memory, and `why` says which. */
bool acl_add_rule(struct acl_reader *reader, const struct acl_rule *rule);
bool acl_add_who(struct acl_reader *reader, const struct acl_who *who);

/* Which placeholders become holes. */
enum acl_holes { HOLES_NONE, HOLES_LEVELS, HOLES_ANYWHERE };

/* A topic as written; `at` is where it stands. */
bool acl_add_topic(struct acl_reader *reader, const char *at, struct str text, bool eq,
                   enum acl_holes holes);
bool acl_add_text(struct acl_reader *reader, struct str text, struct piece *out);

/* The two languages. */
bool acl_parse_terms(struct acl_reader *reader);
bool acl_parse_mosquitto(struct acl_reader *reader);

#endif
