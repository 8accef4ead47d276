/* Doubly linked lists whose links live inside their members.
 *
 * Membership costs no memory and cannot fail. A head and a link are the same struct; an unlinked
 * link is all zeroes, so that a zeroed object is in no list.
 *
 *      head <-> first <-> second <-> head
 */
#ifndef LINNET_BASE_LIST_H
#define LINNET_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list {
        struct list *next, *prev;
};

#define list_entry(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

/* Walks from the first member to the last; the member in hand may be removed. */
#define list_each(link, after, head)                                                               \
        for (struct list *link = (head)->next, *after = link->next; link != (head);                \
             link = after, after = link->next)

static inline void list_init(struct list *head)
{
        head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
        return head->next == head;
}

static inline bool list_linked(const struct list *link)
{
        return link->next != NULL;
}

static inline void list_push_back(struct list *head, struct list *link)
{
        assert(!list_linked(link));
        link->prev       = head->prev;
        link->next       = head;
        head->prev->next = link;
        head->prev       = link;
}

static inline void list_push_front(struct list *head, struct list *link)
{
        list_push_back(head->next, link);
}

static inline void list_remove(struct list *link)
{
        assert(list_linked(link));
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->next = link->prev = NULL;
}

/* The first link, taken out of the list; NULL when it is empty. */
static inline struct list *list_pop(struct list *head)
{
        struct list *first = head->next;

        if (first == head)
                return NULL;
        list_remove(first);
        return first;
}

/* Moves all members of `from` to the end of `to`, in their order; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
        if (list_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next   = from->next;
        from->prev->next = to;
        to->prev         = from->prev;
        list_init(from);
}

#endif
