#include "rt/mail.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "unit.h"

struct note {
        struct mail mail;
        uint64_t    number;
        char        text[];
};

static unsigned dropped;

static void on_deliver(struct loop *loop, struct mail *mail)
{
        (void)loop;
        (void)mail;
}

static void on_drop(struct mail *mail)
{
        dropped += (unsigned)((struct note *)(void *)mail)->number;
}

static const struct mail_ops note_ops = { .name = "note", .deliver = on_deliver, .drop = on_drop };
static const struct mail_ops bare_ops = { .name = "bare", .deliver = on_deliver };

static bool write_note(struct parcel **parcel, unsigned from, uint64_t number, size_t text_len)
{
        struct note *note = (struct note *)(void *)parcel_append(parcel, &note_ops,
                                                                 sizeof *note + text_len, from);

        if (note == NULL)
                return false;
        EXPECT_EQ(note->number, 0);
        for (size_t i = 0; i < text_len; i++) {
                EXPECT_EQ(note->text[i], 0);
                note->text[i] = (char)(number + i);
        }
        note->number = number;
        return true;
}

static struct parcel *parcel_of(unsigned from, uint64_t number)
{
        struct parcel *parcel = NULL;

        EXPECT(write_note(&parcel, from, number, 0));
        return parcel;
}

/* The number in its first mail. The parcel is freed. */
static uint64_t opened(struct parcel *parcel)
{
        uint32_t     at   = 0;
        struct note *note = (struct note *)(void *)parcel_next(parcel, &at);
        uint64_t     number;

        EXPECT(note != NULL);
        number = note->number;
        mem_free(parcel);
        return number;
}

static void take_one(struct mailbox *mailbox, uint64_t number)
{
        struct parcel *parcel = mailbox_take(mailbox);

        EXPECT(parcel != NULL);
        mailbox_done(mailbox, parcel);
        EXPECT_EQ(opened(parcel), number);
}

TEST(mails_lie_one_behind_the_other_zeroed_and_aligned)
{
        struct parcel *parcel = NULL;
        uint32_t       at     = 0;

        for (unsigned i = 0; i < 500; i++)
                EXPECT(write_note(&parcel, i, i, i % 37));
        EXPECT(parcel->size >= parcel->len);
        EXPECT_EQ((sizeof *parcel + parcel->size) % 512, 0);
        EXPECT_EQ((uintptr_t)parcel->bytes % 16, 0);

        for (unsigned i = 0; i < 500; i++) {
                struct note *note = (struct note *)(void *)parcel_next(parcel, &at);

                EXPECT_EQ((uintptr_t)note % 8, 0);
                EXPECT_EQ(note->mail.from, i);
                EXPECT(note->mail.ops == &note_ops);
                EXPECT_EQ(note->mail.size, (sizeof *note + i % 37 + 7) / 8 * 8);
                EXPECT_EQ(note->number, i);
                for (unsigned j = 0; j < i % 37; j++)
                        EXPECT_EQ(note->text[j], (char)(i + j));
        }
        EXPECT(parcel_next(parcel, &at) == NULL);

        /* The next writer finds it zeroed too: write_note() looks. */
        parcel_clear(parcel);
        EXPECT_EQ(parcel->len, 0);
        EXPECT(write_note(&parcel, 1, 1, 2000));
        mem_free(parcel);
}

TEST(one_mail_may_be_large_but_not_huge)
{
        struct parcel *parcel = NULL;

        EXPECT(write_note(&parcel, 0, 1, 1000000));
        EXPECT(parcel_append(&parcel, &note_ops, SIZE_MAX, 0) == NULL);
        EXPECT(parcel_append(&parcel, &note_ops, 1u << 30, 0) == NULL);
        EXPECT_EQ(opened(parcel), 1);
}

TEST(without_memory_nothing_has_changed)
{
        struct parcel *parcel = NULL;
        unsigned       count  = 0;

        mem_fail_after(0);
        EXPECT(!write_note(&parcel, 0, 1, 0));
        EXPECT(parcel == NULL);

        mem_fail_after(2);
        while (write_note(&parcel, 0, 7, 40))
                count++;
        mem_fail_after(-1);
        EXPECT(count > 1);
        EXPECT_EQ(parcel->len, count * 64);
        EXPECT(write_note(&parcel, 0, 7, 40));
        EXPECT_EQ(opened(parcel), 7);
}

TEST(a_dropped_parcel_gives_back_what_its_mails_own)
{
        struct parcel *parcel = parcel_of(0, 1);

        EXPECT(parcel_append(&parcel, &bare_ops, sizeof(struct mail), 0) != NULL);
        EXPECT(write_note(&parcel, 0, 20, 3));
        dropped = 0;
        parcel_drop(parcel);
        parcel_drop(NULL);
        EXPECT_EQ(dropped, 21);
}

TEST(a_mailbox_gives_what_came_first)
{
        struct mailbox mailbox;
        struct parcel *parcel;
        uint64_t       next = 1;

        mailbox_init(&mailbox);
        EXPECT(mailbox_take(&mailbox) == NULL);
        for (uint64_t i = 1; i <= 3; i++)
                EXPECT(!mailbox_post(&mailbox, parcel_of(0, i)));
        EXPECT_EQ(mailbox_bytes(&mailbox), 3 * 24);

        /* What is posted between two takes comes behind what was there. */
        parcel = mailbox_take(&mailbox);
        mailbox_post(&mailbox, parcel_of(0, 4));
        for (; parcel != NULL; parcel = mailbox_take(&mailbox)) {
                mailbox_done(&mailbox, parcel);
                EXPECT_EQ(opened(parcel), next++);
                EXPECT_EQ(mailbox_bytes(&mailbox), (5 - next) * 24);
        }
        EXPECT_EQ(next, 5);

        mailbox_post(&mailbox, parcel_of(0, 5));
        mailbox_post(&mailbox, parcel_of(0, 6));
        dropped = 0;
        mailbox_deinit(&mailbox);
        EXPECT_EQ(dropped, 11);
}

TEST(one_writer_wakes_a_sleeping_reader)
{
        struct mailbox mailbox;

        mailbox_init(&mailbox);
        EXPECT(!mailbox_post(&mailbox, parcel_of(0, 1)), "it is awake");
        EXPECT(!mailbox_sleep(&mailbox), "there is mail");
        mailbox_post(&mailbox, parcel_of(0, 2));
        take_one(&mailbox, 1);
        EXPECT(!mailbox_sleep(&mailbox), "the second was taken along and not delivered");
        take_one(&mailbox, 2);

        EXPECT(mailbox_sleep(&mailbox));
        EXPECT(mailbox_post(&mailbox, parcel_of(0, 3)), "the first wakes it");
        EXPECT(!mailbox_post(&mailbox, parcel_of(0, 4)), "once is enough");
        mailbox_awake(&mailbox);
        EXPECT(!mailbox_post(&mailbox, parcel_of(0, 5)));
        mailbox_deinit(&mailbox);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { WRITERS = 4, POSTS = 30000 };

struct writer {
        struct mailbox *mailbox;
        pthread_t       thread;
        unsigned        id;
        int             wake_fd;
};

static void *write_many(void *context)
{
        struct writer *writer = context;

        for (uint64_t i = 1; i <= POSTS; i++) {
                uint64_t one = 1;

                if (mailbox_post(writer->mailbox, parcel_of(writer->id, i)) &&
                    write(writer->wake_fd, &one, sizeof one) != sizeof one)
                        return context;
                if (i % 64 == writer->id)       /* lets the reader fall asleep now and then */
                        sched_yield();
        }
        return NULL;
}

/* Waits as a poll does. A wake-up that is lost is seen here: nothing else ends the wait. */
static void wait_for_wake(int wake_fd)
{
        struct pollfd ready = { .fd = wake_fd, .events = POLLIN };
        uint64_t      count;

        EXPECT_EQ(poll(&ready, 1, 10000), 1);
        EXPECT_EQ(read(wake_fd, &count, sizeof count), sizeof count);
}

TEST(many_writers_lose_nothing_and_wake_the_reader)
{
        struct mailbox mailbox;
        struct writer  writers[WRITERS];
        uint64_t       last[WRITERS] = { 0 };
        unsigned       taken         = 0;
        int            wake_fd       = eventfd(0, 0);

        mailbox_init(&mailbox);
        for (unsigned i = 0; i < WRITERS; i++) {
                writers[i] = (struct writer){ .mailbox = &mailbox, .id = i, .wake_fd = wake_fd };
                EXPECT_EQ(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
        }

        while (taken < WRITERS * POSTS) {
                struct parcel *parcel = mailbox_take(&mailbox);
                uint32_t       at     = 0;

                if (parcel == NULL) {
                        if (mailbox_sleep(&mailbox)) {
                                wait_for_wake(wake_fd);
                                mailbox_awake(&mailbox);
                        }
                        continue;
                }

                unsigned from = parcel_next(parcel, &at)->from;

                mailbox_done(&mailbox, parcel);
                EXPECT_EQ(opened(parcel), ++last[from]);
                taken++;
        }
        for (unsigned i = 0; i < WRITERS; i++) {
                void *failed;

                pthread_join(writers[i].thread, &failed);
                EXPECT(failed == NULL);
        }
        EXPECT(mailbox_take(&mailbox) == NULL);
        mailbox_deinit(&mailbox);
        close(wake_fd);
}

enum { CROSSINGS = 50000 };

struct crossing {
        struct mailbox   mailbox;
        _Atomic unsigned taken;
        int              wake_fd;
};

static void spin(unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                __asm__ volatile("" ::: "memory");
}

/* One parcel after the other, each as soon as the last was taken. */
static void *write_when_taken(void *context)
{
        struct crossing *crossing = context;

        for (unsigned i = 0; i < CROSSINGS; i++) {
                struct parcel *parcel = parcel_of(0, i + 1);
                uint64_t       one    = 1;
                unsigned       looks  = 0;

                while (atomic_load(&crossing->taken) < i)
                        if (++looks % 10000 == 0)
                                sched_yield();
                if (mailbox_post(&crossing->mailbox, parcel) &&
                    write(crossing->wake_fd, &one, sizeof one) != sizeof one)
                        return context;
        }
        return NULL;
}

TEST(a_post_that_crosses_falling_asleep_wakes)
{
        struct crossing crossing = { .wake_fd = eventfd(0, 0) };
        pthread_t       writer;
        void           *failed;

        mailbox_init(&crossing.mailbox);
        EXPECT_EQ(pthread_create(&writer, NULL, write_when_taken, &crossing), 0);
        for (unsigned i = 0; i < CROSSINGS;) {
                spin(i % 400);          /* about as long as the writer needs */
                if (mailbox_sleep(&crossing.mailbox)) {
                        wait_for_wake(crossing.wake_fd);
                        mailbox_awake(&crossing.mailbox);
                }

                struct parcel *parcel = mailbox_take(&crossing.mailbox);

                if (parcel == NULL)
                        continue;
                mailbox_done(&crossing.mailbox, parcel);
                EXPECT_EQ(opened(parcel), ++i);
                atomic_store(&crossing.taken, i);
        }
        pthread_join(writer, &failed);
        EXPECT(failed == NULL);
        mailbox_deinit(&crossing.mailbox);
        close(crossing.wake_fd);
}

SUITE(mail,
      CASE(mails_lie_one_behind_the_other_zeroed_and_aligned),
      CASE(one_mail_may_be_large_but_not_huge),
      CASE(without_memory_nothing_has_changed),
      CASE(a_dropped_parcel_gives_back_what_its_mails_own),
      CASE(a_mailbox_gives_what_came_first),
      CASE(one_writer_wakes_a_sleeping_reader),
      CASE(many_writers_lose_nothing_and_wake_the_reader),
      CASE(a_post_that_crosses_falling_asleep_wakes))
