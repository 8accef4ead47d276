#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "connection.h"

enum { READ_BYTES = 65536, IN_FLIGHT_MAX = 20 };

struct pub {
        struct connection connection;
        struct buffer     input;        /* a message of its own, or lines not sent yet */
        size_t            searched;     /* of the input: no line ends in there */
        unsigned          in_flight;
        bool              ended;        /* there is no more input */
};

/* Reads once more; false on failure, which has been said. */
static bool read_some(struct pub *pub, int fd)
{
        ssize_t got;

        if (buffer_len(&pub->input) > PACKET_BYTES_MAX ||
            !buffer_reserve(&pub->input, READ_BYTES)) {
                connection_say(&pub->connection, "Error: the message is too large.\n");
                return false;
        }
        got = read(fd, pub->input.bytes + pub->input.len, READ_BYTES);
        if (got < 0 && errno != EINTR) {
                connection_say(&pub->connection, "Error: %s\n", strerror(errno));
                return false;
        }
        pub->ended = got == 0;
        pub->input.len += got > 0 ? (size_t)got : 0;
        return true;
}

static bool read_all(struct pub *pub, const struct arguments *a)
{
        int  fd = a->file != NULL ? open(a->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
        bool good;

        if (fd < 0) {
                connection_say(&pub->connection, "Error: %s: %s\n", a->file, strerror(errno));
                return false;
        }
        do
                good = read_some(pub, fd);
        while (good && !pub->ended);
        if (a->file != NULL)
                close(fd);
        return good;
}

static bool may_send(const struct pub *pub)
{
        const struct connection *c = &pub->connection;

        return pub->in_flight < IN_FLIGHT_MAX && pub->in_flight < c->receive_maximum;
}

static bool send_one(struct pub *pub, struct str payload)
{
        const struct arguments *a = pub->connection.arguments;

        if (!connection_publish(&pub->connection, a->topics.items[0], payload))
                return false;
        pub->in_flight += a->qos > 0;
        return true;
}

/* Sends the lines that are whole, as far as may be; a last one may lack its end. */
static bool send_lines(struct pub *pub)
{
        while (may_send(pub)) {
                struct str  all = buffer_str(&pub->input);
                struct str  rest = str_skip(all, pub->searched);
                const char *end = rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
                size_t      size = end != NULL ? (size_t)(end - all.ptr) : all.len;

                pub->searched = end != NULL ? 0 : all.len;
                if (all.len == 0 || (end == NULL && !pub->ended))
                        return true;
                if (size > 0 && !send_one(pub, str_from(all.ptr, size)))
                        return false;
                buffer_consume(&pub->input, size + (end != NULL));
                pub->searched = 0;
        }
        return true;
}

static void acknowledged(struct pub *pub, const struct packet *packet)
{
        if (packet->type != PACKET_PUBACK && packet->type != PACKET_PUBREC &&
            packet->type != PACKET_PUBCOMP)
                return;
        if (pub->in_flight > 0)
                pub->in_flight--;
        if (reason_is_error(packet->ack.reason))
                connection_say(&pub->connection, "Warning: Publish %u failed: %s.\n",
                               packet->ack.packet_id, reason_text(packet->ack.reason));
}

/* Until all is read, sent and acknowledged. */
static int go_on(struct pub *pub, bool lines)
{
        struct connection *c = &pub->connection;

        for (;;) {
                struct packet packet;
                bool          hungry;

                if (lines && !send_lines(pub))
                        return EXIT_ERROR;
                if (pub->ended && pub->in_flight == 0 && (!lines || buffer_len(&pub->input) == 0))
                        return EXIT_DONE;
                hungry = !pub->ended && may_send(pub);
                switch (connection_next(c, &packet, hungry ? STDIN_FILENO : -1, 0)) {
                case HAPPENED_PACKET:
                        acknowledged(pub, &packet);
                        break;
                case HAPPENED_INPUT:
                        if (!read_some(pub, STDIN_FILENO))
                                return EXIT_ERROR;
                        break;
                case HAPPENED_LOST:
                        return EXIT_LOST;
                case HAPPENED_SIGNAL:
                        return EXIT_ERROR;
                case HAPPENED_TIMEOUT:
                        break;
                }
        }
}

static int publish_all(struct pub *pub, const struct arguments *a)
{
        int code = connection_open(&pub->connection, a, 0);

        if (code != EXIT_DONE)
                return code;
        if (!a->from_lines) {
                pub->ended = true;
                if (!send_one(pub, a->message != NULL ? str_of(a->message)
                                                      : buffer_str(&pub->input)))
                        return EXIT_ERROR;
        }
        code = go_on(pub, a->from_lines);
        if (code != EXIT_LOST)
                connection_close(&pub->connection);
        return code;
}

int pub_run(const struct arguments *arguments)
{
        static struct pub pub;
        int               code = EXIT_ERROR;

        pub = (struct pub){ .connection = { .arguments = arguments, .fd = -1 } };
        if ((arguments->file == NULL && !arguments->from_stdin) || read_all(&pub, arguments)) {
                pub.ended = false;
                code      = publish_all(&pub, arguments);
        }
        connection_deinit(&pub.connection);
        buffer_deinit(&pub.input);
        return code;
}
