#include "net/unix_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/listener.h"
#include "rt/group_test.h"
#include "unit.h"

static char folder[] = "/tmp/linnet-unix-XXXXXX";
static char path[sizeof folder + 16];

static struct unix_socket place(mode_t mode)
{
        static bool made;

        if (!made) {
                EXPECT(mkdtemp(folder) != NULL);
                made = true;
        }
        snprintf(path, sizeof path, "%s/socket", folder);
        return (struct unix_socket){ path, mode, (uid_t)-1, (gid_t)-1 };
}

static int client(void)
{
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int                fd   = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
        EXPECT(connect(fd, (struct sockaddr *)&name, sizeof name) == 0, "%s", strerror(errno));
        return fd;
}

TEST(the_file_has_its_mode)
{
        struct unix_socket at = place(0620);
        struct stat        found;
        int                fd = unix_socket_listen(&at, 8);

        EXPECT(fd >= 0, "%s", strerror(-fd));
        EXPECT(stat(path, &found) == 0 && S_ISSOCK(found.st_mode));
        EXPECT_EQ(found.st_mode & 0777, 0620);
        close(fd);
        unlink(path);
}

TEST(only_what_nobody_listens_on_is_replaced)
{
        struct unix_socket at = place(0600);
        int                first, fd;

        first = unix_socket_listen(&at, 8);
        EXPECT(first >= 0);
        EXPECT_EQ(unix_socket_listen(&at, 8), -EADDRINUSE);
        close(client());                        /* and it still listens */
        close(first);
        fd = unix_socket_listen(&at, 8);
        EXPECT(fd >= 0, "%s", strerror(-fd));
        close(fd);
        unlink(path);

        EXPECT(mkdir(path, 0700) == 0);
        EXPECT_EQ(unix_socket_listen(&at, 8), -EEXIST);
        EXPECT(rmdir(path) == 0);
        EXPECT(symlink("/nowhere", path) == 0);
        EXPECT_EQ(unix_socket_listen(&at, 8), -EEXIST);
        EXPECT(unlink(path) == 0);
}

TEST(owners_are_names)
{
        struct unix_socket at = place(0600);

        EXPECT(unix_socket_owner(&at, "", ""));
        EXPECT(at.owner == (uid_t)-1 && at.group == (gid_t)-1);
        EXPECT(unix_socket_owner(&at, "root", "daemon"));
        EXPECT(at.owner == 0 && at.group == 1, "%u %u", at.owner, at.group);
        EXPECT(!unix_socket_owner(&at, "no-such-user", ""));
        EXPECT(!unix_socket_owner(&at, "", "no-such-group"));
}

static struct transport *accepted;

static void on_accepted(struct listener *listener, struct transport *transport)
{
        on_shard(listener->loop);
        accepted = transport;
}

TEST(the_kernel_says_who_the_peer_is)
{
        struct unix_socket at       = place(0600);
        struct listener    listener = { .accepted = on_accepted };
        struct group       group;
        char               text[TRANSPORT_TEXT_SIZE], expected[64], byte = 'x';
        int                fd;

        group_init_real(&group, 1);
        EXPECT(listener_adopt(&listener, unix_socket_listen(&at, 8)));
        role_claim(group.loops[0]);
        EXPECT(listener_start(&listener, group.loops[0]));
        role_leave();
        fd = client();
        EXPECT_EQ(write(fd, &byte, 1), 1);
        while (accepted == NULL)
                loop_turn(group.loops[0], -1);

        EXPECT_EQ(accepted->ops->read(accepted, text, sizeof text), 1);
        EXPECT(address_is_loopback(transport_peer(accepted)));
        address_text(transport_peer(accepted), text);
        EXPECT(strcmp(text, "unix") == 0, "%s", text);
        snprintf(expected, sizeof expected, "uid:%u", getuid());
        EXPECT_EQ(transport_identity(accepted, TRANSPORT_USERNAME, text), strlen(expected));
        EXPECT(strcmp(text, expected) == 0, "%s", text);
        snprintf(expected, sizeof expected, "uid=%u pid=%d", getuid(), getpid());
        transport_describe(accepted, text);
        EXPECT(strcmp(text, expected) == 0, "%s", text);

        accepted->ops->free(accepted);
        close(fd);
        listener_close(&listener);
        group_deinit(&group);
        unlink(path);
        rmdir(folder);
}

TEST(what_does_not_listen_is_not_adopted)
{
        struct listener listener;
        int             fd = socket(AF_INET, SOCK_STREAM, 0);

        EXPECT(!listener_adopt(&listener, fd) && errno == EINVAL);
        EXPECT(!listener_is_open(&listener));
        close(fd);
        EXPECT(!listener_adopt(&listener, fd) && errno == EBADF);
}

SUITE(unix_socket, CASE(the_file_has_its_mode), CASE(only_what_nobody_listens_on_is_replaced),
      CASE(owners_are_names), CASE(the_kernel_says_who_the_peer_is),
      CASE(what_does_not_listen_is_not_adopted))
