#include "broker/rules.h"

static struct acl_rules *read_rules(struct acl_file *file, const struct config *config, char *why)
{
        return acl_file_read(file, config->acl_file, config->acl_format, why);
}

static void log_rules(const struct config *config, const struct acl_rules *rules)
{
        LOG(INFO, "acl.loaded", F_TEXT("file", config->acl_file),
            F_TEXT("format", acl_rules_format(rules)), F_U64("rules", acl_rules_count(rules)),
            F_TEXT("nomatch", config->settings.acl_nomatch_allow ? "allow" : "deny"));
}

bool rules_open(struct rules *rules, struct broker *broker, const struct config *config)
{
        struct acl_rules *first;
        char              why[ACL_WHY_SIZE];

        rules->acl = acl_new(broker);
        if (rules->acl == NULL || config->acl_file[0] == '\0')
                return rules->acl != NULL;
        first = read_rules(&rules->file, config, why);
        if (first == NULL) {
                LOG(ERROR, "acl.refused", F_TEXT("reason", why));
                return false;
        }
        log_rules(config, first);
        acl_begin(rules->acl, first);
        return true;
}

void rules_close(struct rules *rules)
{
        acl_free(rules->acl);
}

bool rules_apply(struct rules *rules, const struct config *config)
{
        struct acl_rules *next = NULL;
        char              why[ACL_WHY_SIZE];

        if (config->acl_file[0] != '\0') {
                next = read_rules(&rules->file, config, why);
                if (next == NULL) {
                        LOG(ERROR, "acl.refused", F_TEXT("reason", why),
                            F_TEXT("hint", "the rules before it stay in force"));
                        acl_alarm(rules->acl, "acl.file is bad: the rules before it stay in force");
                        return true;
                }
                log_rules(config, next);
        }
        acl_alarm(rules->acl, NULL);
        return acl_apply(rules->acl, next);
}

bool rules_look(struct rules *rules, const struct config *config)
{
        return config->acl_file[0] == '\0' || !acl_file_changed(&rules->file, config->acl_file) ||
               rules_apply(rules, config);
}

bool rules_test(const struct config *config, char why[static RULES_WHY_SIZE])
{
        struct acl_file   file = { .read = { 0 } };
        struct acl_rules *rules;

        if (config->acl_file[0] == '\0')
                return true;
        rules = read_rules(&file, config, why);
        acl_rules_put(rules);
        return rules != NULL;
}
