#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

static bool look_up(struct dial *dial, const struct bench_options *options)
{
        struct addrinfo  hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *list;
        char             port[8];
        int              failed;

        snprintf(port, sizeof(port), "%u", options->port);
        failed = getaddrinfo(options->host, port, &hints, &list);
        if (failed != 0) {
                fprintf(stderr, "Error: %s: %s.\n", options->host, gai_strerror(failed));
                return false;
        }
        memcpy(&dial->to, list->ai_addr, list->ai_addrlen);
        dial->to_size = list->ai_addrlen;
        freeaddrinfo(list);
        return true;
}

static bool address_of(struct str text, struct sockaddr_storage *out)
{
        struct sockaddr_in  *v4 = (struct sockaddr_in *)out;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        char                 copy[INET6_ADDRSTRLEN];

        if (text.len >= sizeof(copy))
                return false;
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
        *out           = (struct sockaddr_storage){ 0 };
        if (inet_pton(AF_INET, copy, &v4->sin_addr) == 1)
                out->ss_family = AF_INET;
        else if (inet_pton(AF_INET6, copy, &v6->sin6_addr) == 1)
                out->ss_family = AF_INET6;
        return out->ss_family != AF_UNSPEC;
}

static bool add_source(struct dial *dial, const struct sockaddr_storage *source)
{
        if (dial->source_count == DIAL_SOURCES_MAX || source->ss_family != dial->to.ss_family)
                return false;
        dial->sources[dial->source_count++] = *source;
        dial->source_size                   = source->ss_family == AF_INET
                                                      ? sizeof(struct sockaddr_in)
                                                      : sizeof(struct sockaddr_in6);
        return true;
}

/* One address, or the first and the last of a range of IPv4. */
static bool add_sources(struct dial *dial, struct str text)
{
        struct sockaddr_storage first, last;
        struct sockaddr_in     *v4 = (struct sockaddr_in *)&first;
        struct str              from;
        uint32_t                end;

        if (memchr(text.ptr, '-', text.len) == NULL)
                return address_of(text, &first) && add_source(dial, &first);
        if (!str_cut(&text, '-', &from) || !address_of(from, &first) || !address_of(text, &last) ||
            first.ss_family != AF_INET || last.ss_family != AF_INET)
                return false;
        end = ntohl(((struct sockaddr_in *)&last)->sin_addr.s_addr);
        if (ntohl(v4->sin_addr.s_addr) > end)
                return false;
        for (uint32_t at = ntohl(v4->sin_addr.s_addr);; at++) {
                v4->sin_addr.s_addr = htonl(at);
                if (!add_source(dial, &first))
                        return false;
                if (at == end)
                        return true;
        }
}

bool dial_init(struct dial *dial, const struct bench_options *options)
{
        struct str rest = str_of(options->ifaddr), part;

        if (!look_up(dial, options) ||
            (options->tls && (dial->tls = secure_context(options)) == NULL))
                return false;
        while (rest.len > 0 && str_list_cut(&rest, &part)) {
                if (part.len > 0 && add_sources(dial, part))
                        continue;
                fprintf(stderr,
                        "Error: --ifaddr %.*s: no address or range of the broker's family, or "
                        "beyond %d of them.\n",
                        STR_ARGS(part), DIAL_SOURCES_MAX);
                return false;
        }
        return true;
}

void dial_deinit(struct dial *dial)
{
        SSL_CTX_free(dial->tls);
        dial->tls = NULL;
}

int dial_start(const struct dial *dial, uint32_t number)
{
        int fd  = socket(dial->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int one = 1, failed;

        if (fd < 0)
                return -1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (dial->source_count > 0) {
                /* The kernel chooses the port when it knows both ends, so that each source has
                 * all of them for each destination. */
                setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
                if (bind(fd, (const void *)&dial->sources[number % dial->source_count],
                         dial->source_size) != 0)
                        goto fail;
        }
        if (connect(fd, (const void *)&dial->to, dial->to_size) == 0 || errno == EINPROGRESS)
                return fd;
fail:
        failed = errno;
        close(fd);
        errno = failed;
        return -1;
}
