/* The topic of a rule against what a client asks for: a topic name, or a filter. A rule's topic is
 * a filter that may have holes, into which the client's own name goes when it is compared. Nothing
 * is put together: a name with a wildcard or a slash in it never becomes a part of a filter. */
#ifndef LINNET_SERVICES_ACL_FILTER_H
#define LINNET_SERVICES_ACL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Bytes of a compiled text that stand for holes; in UTF-8 they stand for nothing. */
enum filter_hole { HOLE_ADDRESS = 0xfd, HOLE_CLIENT = 0xfe, HOLE_USER = 0xff };

/* What goes into holes. ptr NULL: there is none. */
struct filter_fill {
        struct str user, client, address;
        bool       address_unknown;     /* nobody is connected: it is not that there is none */
};

struct filter_rule {
        struct str text;                /* a valid filter, but for its holes */
        bool       holes;               /* it has any */
        bool       wide;                /* a hole that must not be filled stands for any level; */
                                        /* else nothing matches. Of a rule that denies */
        bool       skip_missing;        /* with a hole for which there is nothing, none matches */
        bool       dollar;              /* `+` and `#` match a first level with `$`, too */
};

enum filter_relation {
        FILTER_APART,                   /* no name is matched by both */
        FILTER_PART,                    /* some names that the asked one matches */
        FILTER_WHOLE,                   /* all of them */
        FILTER_UNSURE,                  /* depends on an address that is not known */
};

/* `asked` is valid; a name is a filter that matches one name. */
enum filter_relation filter_relate(const struct filter_rule *rule, const struct filter_fill *fill,
                                   struct str asked);

#endif
