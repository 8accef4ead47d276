#include "core/metrics.h"

static const struct metric_info table[] = {
#define METRIC(field, name, help) { name, help, offsetof(struct metrics, field) },
#include "core/metrics.tbl.h"
};

const struct metric_info *metrics_table(size_t *count)
{
        *count = sizeof table / sizeof table[0];
        return table;
}
