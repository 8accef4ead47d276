/* Output: pieces in order, written from the front. */
#include "client/output.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

enum {
        IOVECS            = 64,
        SHORT_CHUNKS_KEPT = 16,         /* of the slab's: 1 MiB, for some thousand short ones */
};

/* Chunk or reference: the bytes lie at `from`. */
struct piece {
        struct list     in_output;
        struct message *message;        /* referenced; NULL: a chunk, its bytes behind it */
        const char     *from;           /* what is not yet written */
        size_t          len;
};

/* The first one of an output is short, if that will do: a fan-out to thousands begins one for each
 * of them in every turn. */
struct chunk {
        struct piece piece;
        size_t       size;              /* of the bytes; tells short ones from long ones */
        char         bytes[];
};

enum {
        SHORT_SIZE = OUTPUT_SHORT_CHUNK_BYTES - sizeof(struct chunk),
        LONG_SIZE  = OUTPUT_CHUNK_BYTES - sizeof(struct chunk),
};

static struct chunk *last_chunk(const struct output *output);
static struct chunk *tail_with_room(struct output *output, size_t wanted);
static char         *end_of(struct chunk *chunk);
static size_t        room_of(const struct chunk *chunk);
static void          piece_free(struct output *output, struct piece *piece);
static void          written(struct output *output, size_t count);

void output_pool_init(struct output_pool *pool)
{
        slab_init(&pool->chunks, "output_chunk", OUTPUT_CHUNK_BYTES, 0);
        slab_init(&pool->short_chunks, "output_short_chunk", OUTPUT_SHORT_CHUNK_BYTES, 0);
        pool->short_chunks.chunks_kept = SHORT_CHUNKS_KEPT;
        slab_init(&pool->references, "output_reference", sizeof(struct piece), 0);
}

void output_pool_deinit(struct output_pool *pool)
{
        slab_deinit(&pool->chunks);
        slab_deinit(&pool->short_chunks);
        slab_deinit(&pool->references);
}

void output_init(struct output *output, struct output_pool *pool)
{
        *output = (struct output){ .pool = pool };
        list_init(&output->pieces);
}

void output_drop(struct output *output)
{
        list_each(link, after, &output->pieces)
                piece_free(output, list_entry(link, struct piece, in_output));
        output->bytes = 0;
}

bool output_write(struct output *output, struct str bytes)
{
        while (bytes.len > 0 && !output->failed) {
                struct chunk *chunk = tail_with_room(output, bytes.len);

                if (chunk == NULL)
                        break;

                size_t count = room_of(chunk) < bytes.len ? room_of(chunk) : bytes.len;

                memcpy(end_of(chunk), bytes.ptr, count);
                chunk->piece.len += count;
                output->bytes += count;
                bytes = str_skip(bytes, count);
        }
        output->failed |= bytes.len > 0;
        return !output->failed;
}

/* Nearly always there is room for all of it where the last packet ends. */
bool output_write_parts(struct output *output, const struct str *parts, unsigned count)
{
        struct chunk *chunk = last_chunk(output);
        size_t        size  = 0;

        for (unsigned i = 0; i < count; i++)
                size += parts[i].len;
        if (chunk == NULL && !output->failed)
                chunk = tail_with_room(output, size);
        if (chunk == NULL || room_of(chunk) < size || output->failed) {
                for (unsigned i = 0; i < count; i++)
                        output_write(output, parts[i]);
                return !output->failed;
        }

        char *to = end_of(chunk);

        for (unsigned i = 0; i < count; i++) {
                memcpy(to, parts[i].ptr, parts[i].len);
                to += parts[i].len;
        }
        chunk->piece.len += size;
        output->bytes += size;
        return true;
}

bool output_refer(struct output *output, struct message *message, struct str bytes)
{
        struct piece *piece = output->failed ? NULL : slab_alloc(&output->pool->references);

        if (piece == NULL) {
                output->failed = true;
                return false;
        }
        assert(bytes.len > 0);
        piece->message = message_get(message);
        piece->from    = bytes.ptr;
        piece->len     = bytes.len;
        list_push_back(&output->pieces, &piece->in_output);
        output->bytes += bytes.len;
        return true;
}

ssize_t output_flush(struct output *output, struct transport *transport)
{
        struct iovec iovecs[IOVECS];
        int          count = 0;

        list_each(link, after, &output->pieces) {
                struct piece *piece = list_entry(link, struct piece, in_output);

                if (count == IOVECS)
                        break;
                iovecs[count++] = (struct iovec){ (void *)(uintptr_t)piece->from, piece->len };
        }
        if (count == 0)
                return 0;

        ssize_t sent = transport->ops->write(transport, iovecs, count);

        if (sent > 0)
                written(output, (size_t)sent);
        return sent;
}

/* The last piece; NULL where there is none, or it is a reference. */
static struct chunk *last_chunk(const struct output *output)
{
        struct piece *last;

        if (list_empty(&output->pieces))
                return NULL;
        last = list_entry(output->pieces.prev, struct piece, in_output);
        return last->message == NULL ? (struct chunk *)(void *)last : NULL;
}

/* The last piece, if it is a chunk that has room, or a new one, for so many bytes if it can be.
 * NULL without memory. */
static struct chunk *tail_with_room(struct output *output, size_t wanted)
{
        struct chunk *chunk    = last_chunk(output);
        bool          is_short = list_empty(&output->pieces) && wanted <= SHORT_SIZE;

        if (chunk != NULL && room_of(chunk) > 0)
                return chunk;
        chunk = slab_take(is_short ? &output->pool->short_chunks : &output->pool->chunks);
        if (chunk == NULL)
                return NULL;
        chunk->piece = (struct piece){ .from = chunk->bytes };
        chunk->size  = is_short ? SHORT_SIZE : LONG_SIZE;
        list_push_back(&output->pieces, &chunk->piece.in_output);
        return chunk;
}

static char *end_of(struct chunk *chunk)
{
        return chunk->bytes + (chunk->piece.from - chunk->bytes) + chunk->piece.len;
}

static size_t room_of(const struct chunk *chunk)
{
        return chunk->size - (size_t)(chunk->piece.from - chunk->bytes) - chunk->piece.len;
}

static void piece_free(struct output *output, struct piece *piece)
{
        list_remove(&piece->in_output);
        if (piece->message != NULL) {
                message_put(piece->message);
                slab_free(&output->pool->references, piece);
        } else if (((struct chunk *)(void *)piece)->size == SHORT_SIZE) {
                slab_free(&output->pool->short_chunks, piece);
        } else {
                slab_free(&output->pool->chunks, piece);
        }
}

static void written(struct output *output, size_t count)
{
        assert(count <= output->bytes);
        output->bytes -= count;
        while (count > 0) {
                struct piece *piece = list_entry(output->pieces.next, struct piece, in_output);
                size_t        part  = count < piece->len ? count : piece->len;

                piece->from += part;
                piece->len -= part;
                count -= part;
                if (piece->len == 0)
                        piece_free(output, piece);
        }
}
