#include "core/mqueue.h"

#include <assert.h>

#include "base/memory.h"
#include "core/journal.h"

struct mqueue_class {
        struct mqueue_class   *next;
        struct list            front, back;
        struct mqueue_spilled *ring;            /* [size], a power of two; owned */
        uint32_t               first, count, size;
        unsigned               priority;
};

struct node {
        struct list     in_class;
        struct list     in_age;
        struct delivery delivery;
};

enum { RING_FIRST = 64, LOAD_BELOW = 32 };

/* Settings with no limit still must not let one session take all the memory there is. */
static bool is_over(const struct mqueue *mqueue, const struct settings *settings)
{
        return (settings->mqueue_max_length != 0 && mqueue->len > settings->mqueue_max_length) ||
               (settings->mqueue_max_bytes != 0 && mqueue->bytes > settings->mqueue_max_bytes);
}

/* Out of memory; whether it is out of the queue is the caller's to say. */
static void node_leave(struct mqueue *mqueue, struct node *node, struct delivery *out)
{
        list_remove(&node->in_class);
        list_remove(&node->in_age);
        mqueue->memory -= message_size(node->delivery.message);
        *out = node->delivery;
        mem_free(node);
}

static void take_out(struct mqueue *mqueue, struct node *node, struct delivery *out)
{
        mqueue->len--;
        mqueue->bytes -= message_size(node->delivery.message);
        node_leave(mqueue, node, out);
}

/* ---- what is spilled ------------------------------------------------------------------------- */

static struct mqueue_spilled *ring_at(const struct mqueue_class *class, uint32_t i)
{
        return &class->ring[(class->first + i) & (class->size - 1)];
}

static bool ring_push(struct mqueue_class *class, const struct mqueue_spilled *spilled)
{
        if (class->count == class->size) {
                uint32_t               size = class->size != 0 ? class->size * 2 : RING_FIRST;
                struct mqueue_spilled *ring = mem_alloc(size * sizeof *ring);

                if (ring == NULL)
                        return false;
                for (uint32_t i = 0; i < class->count; i++)
                        ring[i] = *ring_at(class, i);
                mem_free(class->ring);
                class->ring  = ring;
                class->size  = size;
                class->first = 0;
        }
        *ring_at(class, class->count++) = *spilled;
        return true;
}

static void ring_pop(struct mqueue *mqueue, struct mqueue_class *class)
{
        mqueue->spilled--;
        class->first = (class->first + 1) & (class->size - 1);
        if (--class->count == 0) {
                mem_free(TAKE(class->ring));
                class->size = class->first = 0;
        }
}

static void ring_take_out(struct mqueue *mqueue, struct mqueue_class *class,
                          struct mqueue_spilled *out)
{
        *out = *ring_at(class, 0);
        mqueue->len--;
        mqueue->bytes -= out->size;
        ring_pop(mqueue, class);
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
        *class = (struct mqueue_class){ .next = *at, .priority = priority };
        list_init(&class->front);
        list_init(&class->back);
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
        struct mqueue_spilled spilled;
        struct delivery       delivery;

        while (mqueue_pop_spilled(mqueue, &spilled))
                continue;
        while (mqueue_pop(mqueue, &delivery))
                delivery_release(&delivery);
        while (mqueue->classes != NULL) {
                struct mqueue_class *class = mqueue->classes;

                mqueue->classes = class->next;
                mem_free(class);
        }
}

/* `behind` is what it follows among those of its age. */
static struct node *node_new(struct mqueue *mqueue, const struct delivery *delivery,
                             struct list *behind)
{
        struct node *node = mem_zalloc(sizeof *node);

        if (node == NULL)
                return NULL;
        node->delivery = *delivery;
        list_push_front(behind, &node->in_age);
        mqueue->memory += message_size(delivery->message);
        return node;
}

/* In front while memory allows and nothing is behind; else where it waits to be spilled, if it can
 * be. */
static struct node *node_add(struct mqueue *mqueue, const struct settings *settings,
                             const struct delivery *delivery)
{
        unsigned             priority = priority_of(settings, message_topic(delivery->message));
        struct mqueue_class *class    = class_of(mqueue, priority);
        struct node         *node;
        bool                 front;

        if (class == NULL)
                return NULL;
        front = class->count == 0 && list_empty(&class->back) &&
                (delivery->entry == NULL || settings->mqueue_max_memory == 0 ||
                 mqueue->memory + message_size(delivery->message) <= settings->mqueue_max_memory);
        if (!front && delivery->entry == NULL)
                return NULL;            /* QoS 0 behind what is spilled: nowhere to keep it */
        node = node_new(mqueue, delivery, mqueue->ages[delivery->qos > 0].prev);
        if (node == NULL)
                return NULL;
        if (delivery->entry != NULL)
                delivery->entry->priority = priority;
        list_push_back(front ? &class->front : &class->back, &node->in_class);
        mqueue->len++;
        mqueue->bytes += message_size(delivery->message);
        return node;
}

/* The class whose oldest spilled message is older than all in memory; NULL: there is none. */
static struct mqueue_class *oldest_spilled(struct mqueue *mqueue)
{
        struct mqueue_class *oldest = NULL;

        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next) {
                if (class->count > 0 && list_empty(&class->front) &&
                    (oldest == NULL || ring_at(class, 0)->key < ring_at(oldest, 0)->key))
                        oldest = class;
        }
        if (oldest == NULL || list_empty(&mqueue->ages[1]))
                return oldest;

        const struct entry *entry =
                list_entry(mqueue->ages[1].next, struct node, in_age)->delivery.entry;

        return entry == NULL || entry->kept.key < ring_at(oldest, 0)->key ? NULL : oldest;
}

/* Who goes when it is full: a node of the queue, or NULL: what oldest_spilled() says. */
static struct node *victim(struct mqueue *mqueue, enum mqueue_drop policy)
{
        struct list *qos0 = &mqueue->ages[0], *rest = &mqueue->ages[1];

        if (policy == MQUEUE_DROP_QOS0_FIRST && !list_empty(qos0))
                return list_entry(qos0->next, struct node, in_age);
        if (mqueue->spilled > 0 && oldest_spilled(mqueue) != NULL)
                return NULL;
        if (list_empty(rest) || (!list_empty(qos0) && policy == MQUEUE_DROP_OLDEST &&
                                 guid_compare(list_entry(qos0->next, struct node, in_age)
                                                      ->delivery.message->guid,
                                              list_entry(rest->next, struct node, in_age)
                                                      ->delivery.message->guid) < 0))
                return list_entry(qos0->next, struct node, in_age);
        return list_entry(rest->next, struct node, in_age);
}

bool mqueue_push(struct mqueue *mqueue, const struct settings *settings, struct delivery *delivery,
                 struct delivery *lost, uint64_t *lost_key)
{
        struct node          *node = NULL;
        struct mqueue_spilled spilled;

        *lost_key = 0;
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
        mqueue->dropped++;
        if (node != NULL) {
                take_out(mqueue, node, lost);
                return true;
        }
        ring_take_out(mqueue, oldest_spilled(mqueue), &spilled);
        *lost     = (struct delivery){ .message = NULL };
        *lost_key = spilled.key;
        return true;
}

bool mqueue_pop(struct mqueue *mqueue, struct delivery *out)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next) {
                struct list *list = list_empty(&class->front) ? &class->back : &class->front;
                struct node *node = list_entry(list->next, struct node, in_class);

                if (list == &class->back && class->count > 0)
                        return false;
                if (list_empty(list))
                        continue;
                take_out(mqueue, node, out);
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

bool mqueue_has_back(const struct mqueue *mqueue)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next)
                if (!list_empty(&class->back))
                        return true;
        return false;
}

/* In their order, so behind one that is not safe yet all wait; and behind one that its publisher
 * may send again, since what is spilled has no receipt to tell that any more. */
static void spill_class(struct mqueue *mqueue, struct mqueue_class *class)
{
        list_each(link, after, &class->back) {
                struct node          *node  = list_entry(link, struct node, in_class);
                const struct entry   *entry = node->delivery.entry;
                struct mqueue_spilled spilled;
                struct delivery       delivery;

                if (!entry_is_safe(entry) || !entry_is_confirmed(entry))
                        return;
                spilled = (struct mqueue_spilled){
                        .key    = entry->kept.key,
                        .size   = (uint32_t)message_size(node->delivery.message),
                        .qos    = node->delivery.qos,
                        .shared = node->delivery.share != 0,
                };
                if (!ring_push(class, &spilled))
                        return;
                mqueue->spilled++;
                node_leave(mqueue, node, &delivery);
                entry_leave(TAKE(delivery.entry));
                delivery_release(&delivery);
        }
}

bool mqueue_spill(struct mqueue *mqueue)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next)
                spill_class(mqueue, class);
        return mqueue_has_back(mqueue);
}

/* The class that what is next out is in. */
static struct mqueue_class *class_in_turn(struct mqueue *mqueue)
{
        struct mqueue_class *class = mqueue->classes;

        while (class != NULL && class->count == 0 && list_empty(&class->front) &&
               list_empty(&class->back))
                class = class->next;
        return class;
}

unsigned mqueue_to_load(struct mqueue *mqueue, uint64_t keys[], unsigned max)
{
        struct mqueue_class *class = mqueue->spilled > 0 ? class_in_turn(mqueue) : NULL;
        unsigned             ready = 0, count = 0;

        if (class == NULL || class->count == 0 || mqueue->loading)
                return 0;
        list_each(link, after, &class->front)
                if (++ready >= LOAD_BELOW)
                        return 0;
        for (; count < max && count < class->count; count++)
                keys[count] = ring_at(class, count)->key;
        mqueue->loading = true;
        return count;
}

/* The class whose next spilled message that is. */
static struct mqueue_class *class_with(struct mqueue *mqueue, uint64_t key)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next)
                if (class->count > 0 && ring_at(class, 0)->key == key)
                        return class;
        return NULL;
}

bool mqueue_wants(struct mqueue *mqueue, uint64_t key)
{
        return class_with(mqueue, key) != NULL;
}

/* What one with that key follows in age: what is in memory behind it is younger, and what other
 * classes have there may be. The one that was loaded before it is where to begin. */
static struct list *older_than(struct mqueue *mqueue, struct mqueue_class *class, uint64_t key)
{
        struct list *ages = &mqueue->ages[1], *at = ages;
        struct node *last = list_entry(class->front.prev, struct node, in_class);

        if (!list_empty(&class->front) && last->delivery.qos > 0)
                at = &last->in_age;
        for (; at->next != ages; at = at->next) {
                const struct entry *entry =
                        list_entry(at->next, struct node, in_age)->delivery.entry;

                if (entry != NULL && entry->kept.key > key)
                        break;
        }
        return at;
}

bool mqueue_loaded(struct mqueue *mqueue, uint64_t key, struct delivery *delivery)
{
        struct mqueue_class *class = class_with(mqueue, key);
        struct node         *node  = NULL;

        if (class != NULL)
                node = node_new(mqueue, delivery, older_than(mqueue, class, key));
        if (node == NULL)
                return false;
        ring_pop(mqueue, class);
        list_push_back(&class->front, &node->in_class);
        return true;
}

void mqueue_lost(struct mqueue *mqueue, uint64_t key)
{
        struct mqueue_class  *class = class_with(mqueue, key);
        struct mqueue_spilled spilled;

        if (class != NULL)
                ring_take_out(mqueue, class, &spilled);
}

bool mqueue_restore(struct mqueue *mqueue, const struct mqueue_spilled *spilled, unsigned priority)
{
        struct mqueue_class *class = class_of(mqueue, priority);

        if (class == NULL || !ring_push(class, spilled))
                return false;
        mqueue->len++;
        mqueue->spilled++;
        mqueue->bytes += spilled->size;
        return true;
}

void mqueue_each(struct mqueue *mqueue, bool (*visit)(struct session *, struct delivery *),
                 struct session *session)
{
        for (unsigned i = 0; i < 2; i++) {
                list_each(link, after, &mqueue->ages[i])
                        visit(session, &list_entry(link, struct node, in_age)->delivery);
        }
}

void mqueue_sift(struct mqueue *mqueue, bool (*keeps)(void *context, const struct delivery *),
                 void (*drop)(void *context, struct delivery *), void *context)
{
        struct list  out;
        struct list *first;

        list_init(&out);
        for (unsigned i = 0; i < 2; i++) {
                list_each(link, after, &mqueue->ages[i]) {
                        if (keeps(context, &list_entry(link, struct node, in_age)->delivery))
                                continue;
                        list_remove(link);
                        list_push_back(&out, link);
                }
        }
        while (!list_empty(&out)) {
                struct delivery delivery;

                first = out.next;
                take_out(mqueue, list_entry(first, struct node, in_age), &delivery);
                drop(context, &delivery);
        }
}

bool mqueue_pop_spilled(struct mqueue *mqueue, struct mqueue_spilled *out)
{
        for (struct mqueue_class *class = mqueue->classes; class != NULL; class = class->next) {
                if (class->count == 0)
                        continue;
                ring_take_out(mqueue, class, out);
                return true;
        }
        return false;
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
