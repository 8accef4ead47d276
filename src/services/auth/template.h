/* Texts with places for what a question says: "sensors/%c", "k=%u", "${username}". */
#ifndef LINNET_SERVICES_AUTH_TEMPLATE_H
#define LINNET_SERVICES_AUTH_TEMPLATE_H

#include "base/buffer.h"
#include "core/access.h"

enum template_result {
        TEMPLATE_GOOD,
        TEMPLATE_LACKS,         /* it names what the question does not have: a user name, say */
        TEMPLATE_MEMORY,
};

/* How a value is written into the text; false without memory. */
typedef bool template_write(struct buffer *to, struct str value);

bool template_plain(struct buffer *to, struct str value);
bool template_url(struct buffer *to, struct str value);         /* escaped (RFC 3986, 2.3) */

/* Appends the text with the values in their places. What follows % or ${ and is no name of a place
 * stands for itself, and %% for %. */
enum template_result template_expand(struct str text, const struct access_request *request,
                                     template_write *write, struct buffer *to);

/* Whether the text has the place with this letter, however it is named. */
bool template_has(struct str text, char letter);

#endif
