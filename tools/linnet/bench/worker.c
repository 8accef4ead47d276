#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "link.h"
#include "stamp.h"

enum {
        EVENTS          = 512,
        READ_BYTES      = 262144,
        TICK_US         = 100000,
        TICKS_A_SECOND  = 1000000 / TICK_US,
        DIALS_A_TURN    = 64,
        DIALLING_MAX    = 256,          /* at full speed: more would be lost in the backlog */
        DIALLING_PACED  = 4096,
};

void worker_wake(struct worker *worker)
{
        uint64_t one = 1;

        /* It cannot fail but for a counter that is full, which wakes as well. */
        if (write(worker->wake, &one, sizeof(one)) < 0)
                return;
}

void worker_ready(struct worker *worker, struct link *publisher)
{
        if (!list_linked(&publisher->publisher.ready))
                list_push_back(&worker->ready, &publisher->publisher.ready);
}

static struct link *publisher_at(struct worker *worker, uint64_t index)
{
        return &worker->links[worker->subscribers + index];
}

static uint32_t link_count(const struct worker *worker)
{
        return worker->subscribers + worker->publishers;
}

void worker_ready_number(struct worker *worker, uint32_t publisher)
{
        unsigned count = worker->run->worker_count;

        if (publisher % count == worker->index)
                worker_ready(worker, publisher_at(worker, publisher / count));
        else
                worker->pokes[publisher % count] = true;
}

uint64_t worker_delivered(const struct worker *worker, uint32_t publisher)
{
        const struct run *run = worker->run;
        uint64_t          sum = 0;

        for (unsigned i = 0; i < run->worker_count; i++)
                sum += tally_read(&run->workers[i].delivered[publisher]);
        return sum;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

static void ready_all(struct worker *worker)
{
        for (uint32_t i = 0; i < worker->publishers; i++)
                worker_ready(worker, publisher_at(worker, i));
}

static bool paced(const struct worker *worker)
{
        return worker->run->options->rate > 0;
}

/* What a stage begins with, for a link of its roles. */
static void enter_link(struct worker *worker, struct link *link)
{
        switch (worker->stage.kind) {
        case STAGE_CONNECT:
        case STAGE_CHURN:
                if (link->state == LINK_NEW || link->state == LINK_CLOSED)
                        list_push_back(&worker->waiting, &link->waiting);
                break;
        case STAGE_SUBSCRIBE:
                if (link->state == LINK_READY)
                        subscriber_ask(link);
                link_flush(link);
                break;
        case STAGE_PING:
                if (link->state == LINK_READY)
                        link_ping(link);
                break;
        case STAGE_CLOSE:
                if (link->state == LINK_READY)
                        link_leave(link);
                break;
        case STAGE_PUBLISH:
                if (worker->stage.clearing)
                        publisher_restart(link);
                if (!paced(worker))
                        worker_ready(worker, link);
                break;
        case STAGE_IDLE:
        case STAGE_STOP:
                break;
        }
}

static void enter_stage(struct worker *worker)
{
        struct run *run = worker->run;

        pthread_mutex_lock(&run->mutex);
        worker->stage = run->stage;
        pthread_mutex_unlock(&run->mutex);
        worker->dialled = 0;
        worker->cursor  = 0;
        while (list_pop(&worker->waiting) != NULL)
                continue;
        for (uint32_t i = 0; i < link_count(worker); i++) {
                if ((worker->links[i].role & worker->stage.roles) != 0)
                        enter_link(worker, &worker->links[i]);
        }
}

/* When the next connection is due; UINT64_MAX: not by the clock. */
static uint64_t dial_due(const struct worker *worker)
{
        double   rate  = worker->run->options->connect_rate;
        unsigned count = worker->run->worker_count;

        if (list_empty(&worker->waiting))
                return UINT64_MAX;
        if (rate == 0)
                return worker->dialling < DIALLING_MAX ? 0 : UINT64_MAX;
        if (worker->dialling >= DIALLING_PACED)
                return UINT64_MAX;
        return worker->stage.start_us +
               (uint64_t)(1e6 / rate * ((double)worker->dialled * count + worker->index));
}

static void dial(struct worker *worker)
{
        uint64_t now_us = stamp_now();

        for (unsigned i = 0; i < DIALS_A_TURN && dial_due(worker) <= now_us; i++) {
                worker->dialled++;
                link_dial(list_entry(list_pop(&worker->waiting), struct link, waiting));
        }
}

static uint64_t publish_due(struct worker *worker)
{
        if (worker->stage.kind != STAGE_PUBLISH || !paced(worker) || worker->publishers == 0)
                return UINT64_MAX;
        return publisher_due(publisher_at(worker, worker->cursor % worker->publishers),
                             worker->cursor / worker->publishers);
}

static void publish(struct worker *worker)
{
        uint64_t    now_us = stamp_now();
        struct list ready;

        while (publish_due(worker) <= now_us) {
                publisher_turn(publisher_at(worker, worker->cursor % worker->publishers), now_us);
                worker->cursor++;
        }
        list_init(&ready);
        list_splice(&ready, &worker->ready);
        for (struct list *link; (link = list_pop(&ready)) != NULL;) {
                if (worker->stage.kind == STAGE_PUBLISH)
                        publisher_turn(list_entry(link, struct link, publisher.ready), now_us);
        }
}

/* Each connection is looked at four times per keepalive. */
static void keep_alive(struct worker *worker, uint64_t now_us)
{
        uint32_t count  = link_count(worker);
        uint64_t half   = (uint64_t)worker->run->options->keepalive_s * 500000;
        uint32_t to_look;

        if (half == 0 || count == 0)
                return;
        to_look = count * 4 / (worker->run->options->keepalive_s * TICKS_A_SECOND) + 1;
        for (uint32_t i = 0; i < to_look; i++) {
                struct link *link = &worker->links[worker->looked++ % count];

                if (link->state == LINK_READY && now_us > link->sent_us + half)
                        link_ping(link);
        }
}

static void tick(struct worker *worker)
{
        uint64_t now_us = stamp_now();

        if (now_us < worker->tick_us)
                return;
        worker->tick_us = now_us + TICK_US;
        keep_alive(worker, now_us);
        if (worker->stage.kind != STAGE_PUBLISH || worker->run->options->window == 0)
                return;
        for (uint32_t i = 0; i < worker->publishers; i++)
                publisher_look(publisher_at(worker, i), now_us);
}

static void poke_others(struct worker *worker)
{
        for (unsigned i = 0; i < worker->run->worker_count; i++) {
                if (worker->pokes[i])
                        worker_wake(&worker->run->workers[i]);
                worker->pokes[i] = false;
        }
}

static int wait_for_events(struct worker *worker, struct epoll_event *events)
{
        uint64_t        now_us = stamp_now(), due = worker->tick_us;
        uint64_t        next[] = { dial_due(worker), publish_due(worker) };
        struct timespec timeout;
        int             count;

        for (unsigned i = 0; i < 2; i++)
                due = next[i] < due ? next[i] : due;
        if (!list_empty(&worker->ready))
                due = 0;
        due     = due > now_us ? due - now_us : 0;
        timeout = (struct timespec){ (time_t)(due / 1000000), (long)(due % 1000000) * 1000 };
        count   = epoll_pwait2(worker->epoll, events, EVENTS, &timeout, NULL);
        if (count < 0 && errno == ENOSYS)       /* before Linux 5.11 */
                count = epoll_wait(worker->epoll, events, EVENTS, (int)((due + 999) / 1000));
        return count;
}

static void woken(struct worker *worker)
{
        uint64_t count;

        if (read(worker->wake, &count, sizeof(count)) < 0)
                return;
        if (worker->stage.number != atomic_load(&worker->run->stage_number))
                enter_stage(worker);
        else if (worker->stage.kind == STAGE_PUBLISH && !paced(worker))
                ready_all(worker);
}

static void *work(void *argument)
{
        struct worker     *worker = argument;
        struct epoll_event events[EVENTS];

        while (worker->stage.kind != STAGE_STOP) {
                int count = wait_for_events(worker, events);

                for (int i = 0; i < count; i++) {
                        if (events[i].data.ptr == NULL)
                                woken(worker);
                        else
                                link_event(events[i].data.ptr, events[i].events);
                }
                tick(worker);
                dial(worker);
                publish(worker);
                poke_others(worker);
        }
        for (uint32_t i = 0; i < link_count(worker); i++)
                link_close(&worker->links[i]);
        return NULL;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* Numbers go round the workers, so that a pair is on one. */
static uint32_t share(uint32_t all, unsigned count, unsigned index)
{
        return all / count + (index < all % count);
}

static bool make_links(struct worker *worker)
{
        const struct run *run   = worker->run;
        uint32_t          count = link_count(worker);
        bool              one   = run->options->mode == BENCH_SHARED;

        worker->links = mem_zalloc((count > 0 ? count : 1) * sizeof(*worker->links));
        if (worker->links == NULL)
                return false;
        for (uint32_t i = 0; i < count; i++) {
                struct link *link       = &worker->links[i];
                bool         subscribes = i < worker->subscribers;
                uint32_t     at         = subscribes ? i : i - worker->subscribers;

                link->channel.fd = -1;

                link->worker = worker;
                link->role   = subscribes ? ROLE_SUBSCRIBER : ROLE_PUBLISHER;
                link->number = subscribes && one ? at : at * run->worker_count + worker->index;
                if (!(subscribes ? subscriber_init(link) : publisher_init(link)))
                        return false;
        }
        return true;
}

static bool make_memory(struct worker *worker)
{
        const struct run *run = worker->run;

        worker->in_size   = READ_BYTES + run->options->size + 2 * UINT16_MAX;
        worker->in        = mem_alloc(worker->in_size);
        worker->payload   = mem_zalloc(run->options->size);
        worker->delivered = mem_zalloc((run->publishers + 1) * sizeof(*worker->delivered));
        worker->taken     = mem_zalloc((run->publishers + 1) * sizeof(*worker->taken));
        return worker->in != NULL && worker->payload != NULL && worker->delivered != NULL &&
               worker->taken != NULL &&
               make_links(worker);
}

bool worker_prepare(struct worker *worker, struct run *run, unsigned index)
{
        struct epoll_event event = { .events = EPOLLIN };

        worker->run         = run;
        worker->index       = index;
        worker->subscribers = share(run->subscribers, run->worker_count, index);
        /* The members of a group are on one worker: they keep one book of what has come. */
        if (run->options->mode == BENCH_SHARED)
                worker->subscribers = index == 0 ? run->subscribers : 0;
        worker->publishers  = share(run->publishers, run->worker_count, index);
        worker->epoll       = epoll_create1(EPOLL_CLOEXEC);
        worker->wake        = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        list_init(&worker->ready);
        list_init(&worker->waiting);
        if (worker->epoll < 0 || worker->wake < 0 ||
            epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->wake, &event) != 0) {
                fprintf(stderr, "Error: epoll: %s.\n", strerror(errno));
                return false;
        }
        if (make_memory(worker))
                return true;
        fputs("Error: there is not enough memory for so many connections.\n", stderr);
        return false;
}

bool worker_start(struct worker *worker)
{
        int failed = pthread_create(&worker->thread, NULL, work, worker);

        worker->started = failed == 0;
        if (failed != 0)
                fprintf(stderr, "Error: a thread: %s.\n", strerror(failed));
        return worker->started;
}

void worker_join(struct worker *worker)
{
        if (worker->started)
                pthread_join(worker->thread, NULL);
        worker->started = false;
}

void worker_deinit(struct worker *worker)
{
        for (uint32_t i = 0; worker->links != NULL && i < link_count(worker); i++) {
                if (worker->links[i].role == ROLE_SUBSCRIBER)
                        subscriber_deinit(&worker->links[i]);
                else
                        publisher_deinit(&worker->links[i]);
        }
        for (uint32_t i = 0; worker->taken != NULL && i < worker->run->publishers; i++)
                numbers_deinit(&worker->taken[i]);
        mem_free(TAKE(worker->taken));
        mem_free(TAKE(worker->links));
        mem_free(TAKE(worker->in));
        mem_free(TAKE(worker->payload));
        mem_free(TAKE(worker->delivered));
        buffer_deinit(&worker->out);
        if (worker->run != NULL) {
                close(worker->epoll);
                close(worker->wake);
        }
}
