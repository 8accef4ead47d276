#include "core/mqueue.h"

#include <assert.h>

#include "base/memory.h"

struct mqueue_class {
        struct mqueue_class *next;
        struct list          nodes;
        unsigned             priority;
};

struct node {
        struct list     in_class;
        struct list     in_age;
        struct delivery delivery;
};

/* Settings with no limit still must not let one session take all the memory there is. */
static bool is_over(const struct mqueue *mqueue, const struct settings *settings)
{
        return (settings->mqueue_max_length != 0 && mqueue->len > settings->mqueue_max_length) ||
               (settings->mqueue_max_bytes != 0 && mqueue->bytes > settings->mqueue_max_bytes);
}

static void take_out(struct mqueue *mqueue, struct node *node, struct delivery *out)
{
        list_remove(&node->in_class);
        list_remove(&node->in_age);
        mqueue->len--;
        mqueue->bytes -= message_size(node->delivery.message);
        *out = node->delivery;
        mem_free(node);
}

/* "topic/1=10,topic/2=8": the priority of a topic, 0 when it is not named. */
static unsigned priority_of(const struct settings *settings, struct str topic)
{
        struct str rest = str_of(settings->mqueue_priorities);
        struct str row, name;

        while (rest.len > 0 && str_cut(&rest, ',', &row)) {
                unsigned priority = 0;

                if (!str_cut(&row, '=', &name) || !str_eq(name, topic))
                        continue;
                for (size_t i = 0; i < row.len && row.ptr[i] >= '0' && row.ptr[i] <= '9'; i++)
                        priority = priority * 10 + (unsigned)(row.ptr[i] - '0');
                return priority;
        }
        return 0;
}

static struct mqueue_class *class_of(struct mqueue *mqueue, unsigned priority)
{
        struct mqueue_class **at = &mqueue->classes;

        while (*at != NULL && (*at)->priority > priority)
                at = &(*at)->next;
        if (*at != NULL && (*at)->priority == priority)
                return *at;

        struct mqueue_class *class = mem_alloc(sizeof *class);

        if (class == NULL)
                return NULL;
        class->next     = *at;
        class->priority = priority;
        list_init(&class->nodes);
        *at = class;
        return class;
}

void mqueue_init(struct mqueue *mqueue)
{
        *mqueue = (struct mqueue){ .len = 0 };
        list_init(&mqueue->ages[0]);
        list_init(&mqueue->ages[1]);
}

void mqueue_deinit(struct mqueue *mqueue)
{
        struct delivery delivery;

        while (mqueue_pop(mqueue, &delivery))
                delivery_release(&delivery);
        while (mqueue->classes != NULL) {
                struct mqueue_class *class = mqueue->classes;

                mqueue->classes = class->next;
                mem_free(class);
        }
}

static struct node *node_add(struct mqueue *mqueue, const struct settings *settings,
                             const struct delivery *delivery)
{
        struct mqueue_class *class =
                class_of(mqueue, priority_of(settings, message_topic(delivery->message)));
        struct node *node = class != NULL ? mem_zalloc(sizeof *node) : NULL;

        if (node == NULL)
                return NULL;
        node->delivery = *delivery;
        list_push_back(&class->nodes, &node->in_class);
        list_push_back(&mqueue->ages[delivery->qos > 0], &node->in_age);
        mqueue->len++;
        mqueue->bytes += message_size(delivery->message);
        return node;
}

/* Who goes when it is full: a node of the queue. */
static struct node *victim(struct mqueue *mqueue, enum mqueue_drop policy)
{
        struct list *qos0 = &mqueue->ages[0], *rest = &mqueue->ages[1];

        if (policy == MQUEUE_DROP_QOS0_FIRST && !list_empty(qos0))
                return list_entry(qos0->next, struct node, in_age);
        if (list_empty(rest) || (!list_empty(qos0) && policy == MQUEUE_DROP_OLDEST &&
                                 guid_compare(list_entry(qos0->next, struct node, in_age)
                                                      ->delivery.message->guid,
                                              list_entry(rest->next, struct node, in_age)
                                                      ->delivery.message->guid) < 0))
                return list_entry(qos0->next, struct node, in_age);
        return list_entry(rest->next, struct node, in_age);
}

bool mqueue_push(struct mqueue *mqueue, const struct settings *settings, struct delivery *delivery,
                 struct delivery *lost)
{
        struct node *node = NULL;

        if (delivery != NULL) {
                struct delivery taken = *delivery;

                *delivery = (struct delivery){ .message = NULL };
                node      = node_add(mqueue, settings, &taken);
                if (node == NULL) {
                        *lost = taken;
                        mqueue->dropped++;
                        return true;
                }
        }
        if (!is_over(mqueue, settings))
                return false;
        if (node == NULL || settings->mqueue_drop != MQUEUE_DROP_NEWEST)
                node = victim(mqueue, settings->mqueue_drop);
        take_out(mqueue, node, lost);
        mqueue->dropped++;
        return true;
}

bool mqueue_pop(struct mqueue *mqueue, struct delivery *out)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next) {
                if (list_empty(&class->nodes))
                        continue;
                take_out(mqueue, list_entry(class->nodes.next, struct node, in_class), out);
                return true;
        }
        return false;
}

bool mqueue_pop_qos0(struct mqueue *mqueue, struct delivery *out)
{
        if (list_empty(&mqueue->ages[0]))
                return false;
        take_out(mqueue, list_entry(mqueue->ages[0].next, struct node, in_age), out);
        return true;
}

bool mqueue_rose(struct mqueue *mqueue, const struct settings *settings)
{
        uint64_t high = (uint64_t)settings->mqueue_max_length * settings->mqueue_high_percent / 100;

        if (settings->mqueue_max_length == 0 || mqueue->alarmed || mqueue->len <= high)
                return false;
        mqueue->alarmed = true;
        return true;
}

bool mqueue_fell(struct mqueue *mqueue, const struct settings *settings)
{
        uint64_t low = (uint64_t)settings->mqueue_max_length * settings->mqueue_low_percent / 100;

        if (!mqueue->alarmed || mqueue->len >= low)
                return false;
        mqueue->alarmed = false;
        return true;
}
