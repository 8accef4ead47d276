#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *latency_of(const struct histogram *h)
{
        return json_pack("{s:I, s:I, s:I, s:I, s:I}",
                         "p50", (json_int_t)histogram_quantile(h, 0.5),
                         "p90", (json_int_t)histogram_quantile(h, 0.9),
                         "p99", (json_int_t)histogram_quantile(h, 0.99),
                         "p99_9", (json_int_t)histogram_quantile(h, 0.999),
                         "max", (json_int_t)h->max);
}

static const char *version_text(enum mqtt_version version)
{
        return version == MQTT_5 ? "5" : version == MQTT_3_1_1 ? "3.1.1" : "3.1";
}

static json_t *options_of(const struct bench_options *o)
{
        return json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:s, s:s?, s:I,"
                         " s:f, s:f, s:I, s:b, s:b, s:b, s:s?}",
                         "host", o->host, "port", (json_int_t)o->port,
                         "version", version_text(o->version), "qos", (json_int_t)o->qos,
                         "publishers", (json_int_t)o->publishers,
                         "subscribers", (json_int_t)o->subscribers,
                         "connect_rate", o->connect_rate, "rate", o->rate,
                         "window", (json_int_t)o->window, "burst", (json_int_t)o->burst,
                         "size", (json_int_t)o->size, "topic", o->topic, "filter", o->filter,
                         "messages", (json_int_t)o->messages, "duration_s", o->duration_s,
                         "warmup_s", o->warmup_s, "threads", (json_int_t)o->threads,
                         "retain", (int)o->retain, "tls", (int)o->tls, "ws", (int)o->ws,
                         "scenario", o->scenario);
}

static json_t *errors_of(const struct faults *faults)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < faults->kinds; i++)
                json_array_append_new(list, json_pack("{s:s, s:I}", "what", faults->list[i].what,
                                                      "count",
                                                      (json_int_t)faults->list[i].count));
        return list;
}

static json_t *broker_of(const struct report *r)
{
        uint64_t cpu_us = r->after.cpu_us - r->measured.cpu_us;

        return json_pack("{s:I, s:I, s:f, s:I, s:I, s:I, s:f, s:I}", "pid",
                         (json_int_t)r->options->pid, "cpu_us", (json_int_t)cpu_us,
                         "cpu_us_per_delivered", report_each(cpu_us, r->totals.measured_delivered),
                         "rss_kb_before", (json_int_t)r->idle.rss_kb, "rss_kb_after",
                         (json_int_t)r->after.rss_kb, "rss_kb_peak", (json_int_t)r->rss_peak_kb,
                         "bytes_per_connection", report_bytes_per_connection(r), "context_switches",
                         (json_int_t)(r->after.switches - r->measured.switches));
}

static json_t *phases_of(const struct report *r)
{
        json_t *list = json_array();

        for (unsigned i = 0; i < r->phase_count; i++) {
                const struct phase *phase = &r->phases[i];

                json_array_append_new(
                        list, json_pack("{s:s, s:I, s:f, s:f, s:I, s:f}", "name", phase->name,
                                        "messages", (json_int_t)phase->messages,
                                        "elapsed_s", phase->elapsed_s,
                                        "rate", report_rate(phase->messages, phase->elapsed_s),
                                        "cpu_us", (json_int_t)phase->cpu_us, "cpu_us_per_message",
                                        report_each(phase->cpu_us, phase->messages)));
        }
        return list;
}

static json_t *object_of(const struct report *r)
{
        const struct run_totals *t = &r->totals;
        json_t *connect = json_pack("{s:I, s:I, s:f, s:f, s:o}", "ok", (json_int_t)r->connected,
                                    "failed", (json_int_t)r->refused, "elapsed_s", r->connect_s,
                                    "rate", report_rate(r->connected, r->connect_s),
                                    "latency_us", latency_of(&r->connecting));
        json_t *object  = json_pack(
                 "{s:s, s:o, s:f, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o}",
                 "mode", bench_mode_name(r->options->mode), "options", options_of(r->options),
                 "elapsed_s", r->elapsed_s, "connections", (json_int_t)r->connections,
                 "connect", connect, "published", (json_int_t)t->measured_published,
                 "delivered", (json_int_t)t->measured_delivered, "acked", (json_int_t)t->acked,
                 "lost", (json_int_t)r->lost, "duplicates", (json_int_t)t->duplicates,
                 "reordered", (json_int_t)t->reordered,
                 "publish_rate", report_rate(t->measured_published, r->publish_s),
                 "delivery_rate", report_rate(t->measured_delivered, r->delivery_s),
                 "latency_us", latency_of(&r->latency), "errors", errors_of(&r->faults));

        if (object != NULL && r->has_broker)
                json_object_set_new(object, "broker", broker_of(r));
        if (object != NULL && r->phase_count > 0)
                json_object_set_new(object, "phases", phases_of(r));
        return object;
}

bool report_json(const struct report *report)
{
        const char *name   = report->options->json;
        bool        is_out = strcmp(name, "-") == 0;
        FILE       *file   = is_out ? stdout : fopen(name, "we");
        json_t     *object;
        bool        good;

        if (file == NULL) {
                fprintf(stderr, "Error: --json %s: %s.\n", name, strerror(errno));
                return false;
        }
        object = object_of(report);
        good   = object != NULL &&
               json_dumpf(object, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
               fputc('\n', file) != EOF;
        good = (is_out ? fflush(file) : fclose(file)) == 0 && good;
        json_decref(object);
        if (!good)
                fprintf(stderr, "Error: --json %s: it could not be written.\n", name);
        return good;
}
