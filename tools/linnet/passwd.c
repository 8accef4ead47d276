#include "passwd.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "mqtt/utf8.h"
#include "passwd_file.h"
#include "services/auth/names_file.h"
#include "services/auth/scram_secret.h"
#include "services/auth/secret.h"

static const char help[] =
        "linnet passwd [-c] FILE USER             sets a user's password, and asks for it twice\n"
        "linnet passwd [-c] -b FILE USER PASSWORD the same, without asking\n"
        "linnet passwd -D FILE USER               removes a user\n"
        "linnet passwd -U FILE                    hashes the passwords that are not hashed yet\n"
        "linnet passwd --scram [-c] [-b] ...      the same for a file of SCRAM verifiers\n"
        "linnet passwd --help\n"
        "\n"
        "  -c         makes the file; it must not be there yet\n"
        "  -H HASH    argon2id (default); sha512-pbkdf2 and sha512 are for files that Mosquitto\n"
        "             before 2.1 must read, too\n"
        "\n"
        "Where the input is no terminal, its first line is the password. The broker reads the\n"
        "file when its configuration has these lines, and again as soon as it changes:\n"
        "\n"
        "  auth.chain = password_file\n"
        "  auth.password_file = FILE\n"
        "\n"
        "For --scram they are auth.chain = scram and auth.scram.file = FILE.\n";

enum { PASSWORD_SIZE = 1024 };

struct order {
        bool             make, batch, remove, update, scram;
        enum secret_kind kind;
        const char      *path, *user, *password;
        char             hash[SECRET_TEXT_SIZE];
};

static_assert((int)SCRAM_TEXT_SIZE <= (int)SECRET_TEXT_SIZE, "either fits");

static int usage(void)
{
        fputs(help, stderr);
        return 1;
}

static bool parse_kind(const char *word, enum secret_kind *kind)
{
        static const struct {
                const char      *word;
                enum secret_kind kind;
        } words[] = { { "argon2id", SECRET_ARGON2ID },
                      { "sha512-pbkdf2", SECRET_PBKDF2 },
                      { "sha512", SECRET_SHA512 } };

        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
                if (strcmp(word, words[i].word) != 0)
                        continue;
                *kind = words[i].kind;
                return true;
        }
        fprintf(stderr, "Error: -H %s: it is argon2id, sha512-pbkdf2 or sha512\n", word);
        return false;
}

/* False: it was told. */
static bool parse(int argc, char **argv, struct order *order)
{
        static const struct option longs[] = { { "scram", no_argument, NULL, 's' }, { 0 } };
        int                        letter;

        optind = 0;
        while ((letter = getopt_long(argc, argv, "+cbDUH:", longs, NULL)) != -1) {
                if (letter == 'H' && !parse_kind(optarg, &order->kind))
                        return false;
                if (letter == '?')
                        return usage() == 0;
                order->make   |= letter == 'c';
                order->batch  |= letter == 'b';
                order->remove |= letter == 'D';
                order->update |= letter == 'U';
                order->scram  |= letter == 's';
        }

        int wanted = order->update ? 1 : order->batch ? 3 : 2;

        if (argc - optind != wanted || order->make + order->remove + order->update > 1 ||
            order->batch + order->remove + order->update > 1)
                return usage() == 0;
        order->path     = argv[optind];
        order->user     = wanted > 1 ? argv[optind + 1] : NULL;
        order->password = wanted > 2 ? argv[optind + 2] : NULL;
        return true;
}

static bool user_good(const char *user)
{
        struct str name = str_of(user);

        if (name.len > 0 && name.len <= NAMES_FILE_NAME_MAX && user[0] != '#' &&
            strpbrk(user, ":\r\n") == NULL && utf8_valid(name))
                return true;
        fputs("Error: a user's name is UTF-8 of 1 to 1024 bytes, without ':' and line ends, and "
              "does not begin with #\n", stderr);
        return false;
}

/* ---- the password ---------------------------------------------------------------------------- */

/* One line, without its end; false when there is none, or too much. */
static bool read_line(char to[static PASSWORD_SIZE])
{
        if (fgets(to, PASSWORD_SIZE, stdin) == NULL)
                return false;

        size_t len = strcspn(to, "\r\n");

        if (to[len] == '\0' && !feof(stdin))
                return false;
        to[len] = '\0';
        return true;
}

static bool read_hidden(const char *prompt, char to[static PASSWORD_SIZE])
{
        struct termios shown, hidden;
        bool           good;

        if (tcgetattr(STDIN_FILENO, &shown) != 0)
                return read_line(to);           /* no terminal */
        hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        fputs(prompt, stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
        good = read_line(to);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
        fputc('\n', stderr);
        return good;
}

static bool ask_password(char to[static PASSWORD_SIZE])
{
        char again[PASSWORD_SIZE];
        bool good = read_hidden("Password: ", to);

        if (good && isatty(STDIN_FILENO)) {
                good = read_hidden("Password again: ", again);
                if (good && strcmp(to, again) != 0) {
                        fputs("Error: they are not the same\n", stderr);
                        good = false;
                }
                explicit_bzero(again, sizeof again);
        } else if (!good) {
                fputs("Error: no password, or one of more than 1022 bytes\n", stderr);
        }
        return good;
}

static bool make_hash(struct order *order, struct str password)
{
        if (password.len == 0)
                fputs("Error: the password is empty\n", stderr);
        else if (!(order->scram ? scram_secret_make(password, order->hash)
                                : secret_make(order->kind, password, order->hash)))
                fputs("Error: no memory\n", stderr);
        else
                return true;
        return false;
}

/* ---- what is done ---------------------------------------------------------------------------- */

static bool set(struct order *order, struct passwd_file *file)
{
        char typed[PASSWORD_SIZE];
        bool good;

        if (order->password != NULL)
                good = make_hash(order, str_of(order->password));
        else
                good = ask_password(typed) && make_hash(order, str_of(typed));
        explicit_bzero(typed, sizeof typed);
        return good && passwd_file_set(file, str_of(order->user), order->hash);
}

static const char *hash_plain(void *context, struct str name, struct str old)
{
        static char   same[NAMES_FILE_LINE_MAX + 1];
        struct order *order = context;
        struct secret secret;
        const char   *wrong = secret_parse(old, &secret);
        bool          is_scram = str_starts(old, STR("SCRAM-SHA-256$"));

        if (wrong != NULL || old.len > NAMES_FILE_LINE_MAX) {
                fprintf(stderr, "Error: %.*s: %s\n", STR_ARGS(name),
                        wrong != NULL ? wrong : "its line is too long");
                return NULL;
        }
        if (secret.kind == SECRET_PLAIN && !is_scram)
                return make_hash(order, old) ? order->hash : NULL;
        snprintf(same, sizeof same, "%.*s", STR_ARGS(old));
        return same;
}

static bool change(struct order *order, struct passwd_file *file)
{
        if (order->remove)
                return passwd_file_remove(file, str_of(order->user));
        if (!order->update)
                return set(order, file);

        int count = passwd_file_change(file, hash_plain, order);

        if (count >= 0)
                printf("%d passwords hashed\n", count);
        return count >= 0;
}

int passwd_run(int argc, char **argv)
{
        struct order       order = { .kind = SECRET_ARGON2ID };
        struct passwd_file file;
        bool               good;

        if (argc > 0 && strcmp(argv[0], "--help") == 0)
                return fputs(help, stdout) < 0;
        /* getopt() begins behind a program's name */
        if (!parse(argc + 1, argv - 1, &order) || (order.user != NULL && !user_good(order.user)))
                return 1;
        good = passwd_file_open(&file, order.path, order.make) && change(&order, &file) &&
               passwd_file_write(&file);
        passwd_file_close(&file);
        explicit_bzero(order.hash, sizeof order.hash);
        return good ? 0 : 1;
}
