/* The rows of our tables are named in capitals, for the enums; logs and scenarios want the same
 * names as words. LOWER_WORD("NOT_AUTHORIZED") is the initialiser of a char[LOWER_WORD_SIZE] that
 * holds "not_authorized", made by the compiler: nothing is written twice or done at start. */
#ifndef LINNET_MQTT_LOWER_H
#define LINNET_MQTT_LOWER_H

enum { LOWER_WORD_SIZE = 40 };

#define LOWER_AT(s, i)   ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : 0)
#define LOWER_CHAR(s, i) \
        (LOWER_AT(s, i) >= 'A' && LOWER_AT(s, i) <= 'Z' ? LOWER_AT(s, i) + 32 : LOWER_AT(s, i))
#define LOWER_FOUR(s, i)                                                                       \
        LOWER_CHAR(s, i), LOWER_CHAR(s, (i) + 1), LOWER_CHAR(s, (i) + 2), LOWER_CHAR(s, (i) + 3)

#define LOWER_WORD(s)                                                                           \
        {                                                                                       \
                LOWER_FOUR(s, 0), LOWER_FOUR(s, 4), LOWER_FOUR(s, 8), LOWER_FOUR(s, 12),        \
                LOWER_FOUR(s, 16), LOWER_FOUR(s, 20), LOWER_FOUR(s, 24), LOWER_FOUR(s, 28),     \
                LOWER_FOUR(s, 32), LOWER_FOUR(s, 36)                                            \
        }

#endif
