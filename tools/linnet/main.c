#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "ctl.h"
#include "passwd.h"
#include "services/sys/version.h"
#include "store.h"
#include "tools.h"

static const char help[] =
        "linnet pub -t TOPIC {-m TEXT | -n | -l | -s | -f FILE} [options]    publishes\n"
        "linnet sub -t FILTER... [options]                                   subscribes\n"
        "linnet ctl COMMAND...                                              asks a broker;\n"
        "                                                       linnet ctl --help\n"
        "linnet passwd [-c] FILE USER                                        sets a password;\n"
        "                                                       linnet passwd --help\n"
        "linnet store {check | dump | compact} [PATH]           a stopped broker's store;\n"
        "                                                       linnet store --help\n"
        "linnet bench MODE [options]                            load, and how well it is borne;\n"
        "                                                       linnet bench --help\n"
        "linnet --help | --version\n"
        "\n"
        "pub and sub take, as mosquitto_pub and mosquitto_sub do:\n"
        "  -h HOST -p PORT       the broker (localhost 1883)\n"
        "  -i ID                 client id\n"
        "  -u NAME -P PASSWORD   who it is\n"
        "  -V VERSION            31, 311 (default), 5, mqttv31, mqttv311, mqttv5\n"
        "  -q QOS                0 (default), 1, 2\n"
        "  -k SECONDS            keep alive (60)\n"
        "  -c                    keep the session; needs -i before MQTT 5\n"
        "  -x SECONDS            session expiry interval of MQTT 5; -1: none\n"
        "  -D PACKET NAME VALUE  an MQTT 5 property: -D publish user-property NAME VALUE\n"
        "  --will-topic TOPIC --will-payload TEXT --will-qos QOS --will-retain\n"
        "  -d                    says which packets come and go;  --quiet  says nothing\n"
        "\n"
        "pub:\n"
        "  -m TEXT   the message             -n        an empty message\n"
        "  -f FILE   a file is the message   -s        stdin is the message\n"
        "  -l        a message for each line of stdin; empty lines are not sent\n"
        "  -r        retain\n"
        "\n"
        "sub:\n"
        "  -v        print the topic too     -N        no newline after messages\n"
        "  -C COUNT  end after so many       -W SECS   end after so long, with 27\n"
        "  -R        no stale (retained) messages      -E  end once subscribed\n"
        "  -T FILTER leave these topics out  -U FILTER unsubscribe first\n"
        "  --retain-as-published\n"
        "\n"
        "Ends with 0; 1 on an error; 7 when the connection was lost; the reason code when the\n"
        "broker refused to connect or every subscription.\n";

/* Those that parse what follows themselves. */
static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
} words[] = {
        { "bench", bench_run },
        { "ctl", ctl_run },
        { "passwd", passwd_run },
        { "store", store_run },
};

int main(int argc, char **argv)
{
        struct arguments arguments;
        enum tool        tool;
        int              code = 1;

        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return printf("linnet %s\n", LINNET_VERSION) < 0;
        if (argc == 2 && strcmp(argv[1], "--help") == 0)
                return fputs(help, stdout) < 0;
        for (size_t i = 0; argc >= 2 && i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcmp(argv[1], words[i].name) == 0)
                        return words[i].run(argc - 2, argv + 2);
        }
        if (argc >= 2 && strcmp(argv[1], "pub") == 0) {
                tool = TOOL_PUB;
        } else if (argc >= 2 && strcmp(argv[1], "sub") == 0) {
                tool = TOOL_SUB;
        } else {
                fputs(help, stderr);
                return 1;
        }
        if (arguments_parse(&arguments, tool, argc - 2, argv + 2)) {
                if (arguments.help)
                        code = fputs(help, stdout) < 0;
                else
                        code = tool == TOOL_PUB ? pub_run(&arguments) : sub_run(&arguments);
        }
        arguments_deinit(&arguments);
        return code;
}
