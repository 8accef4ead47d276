#include "net/websocket_frame.h"

#include <wslay/wslay.h>

#include "base/memory.h"

struct websocket_reader {
        wslay_frame_context_ptr context;
        struct str              bytes;  /* that the context may take */
        uint64_t                taken;  /* by the context, not yet told of */
        uint64_t                came;   /* of the frame's payload */
        bool                    inside; /* a frame has started, and not ended */
};

/* ---- in -------------------------------------------------------------------------------------- */

static ssize_t give(uint8_t *to, size_t size, int flags, void *context)
{
        struct websocket_reader *reader = context;
        size_t                   count = reader->bytes.len < size ? reader->bytes.len : size;

        (void)flags;
        if (count == 0)
                return -1;
        memcpy(to, reader->bytes.ptr, count);
        reader->bytes = str_skip(reader->bytes, count);
        reader->taken += count;
        return (ssize_t)count;
}

struct websocket_reader *websocket_reader_new(void)
{
        static const struct wslay_frame_callbacks callbacks = { .recv_callback = give };
        struct websocket_reader                  *reader = mem_zalloc(sizeof *reader);

        if (reader == NULL || wslay_frame_context_init(&reader->context, &callbacks, reader) != 0) {
                mem_free(reader);
                return NULL;
        }
        return reader;
}

void websocket_reader_free(struct websocket_reader *reader)
{
        if (reader == NULL)
                return;
        wslay_frame_context_free(reader->context);
        mem_free(reader);
}

static size_t header_size(uint64_t payload, bool masked)
{
        return 2u +
               (payload > UINT16_MAX              ? 8u
                : payload > WEBSOCKET_CONTROL_MAX ? 2u
                                                  : 0u) +
               (masked ? 4u : 0u);
}

enum websocket_result websocket_read(struct websocket_reader *reader, struct str *bytes,
                                     struct websocket_part *out)
{
        struct wslay_frame_iocb frame = { .fin = 0 };

        reader->bytes = *bytes;

        ssize_t count = wslay_frame_recv(reader->context, &frame);

        *bytes = reader->bytes;
        if (count < 0)
                return count == WSLAY_ERR_WANT_READ ? WEBSOCKET_MORE : WEBSOCKET_BAD;
        *out = (struct websocket_part){
                .opcode = frame.opcode,
                .reserved = frame.rsv,
                .final = frame.fin != 0,
                .masked = frame.mask != 0,
                .starts = !reader->inside,
                .size = frame.payload_length,
                .bytes = str_from(frame.data, frame.data_length),
        };
        if (out->starts) {
                reader->came = 0;
                reader->taken -= header_size(out->size, out->masked);
        }
        reader->came += out->bytes.len;
        reader->taken -= out->bytes.len;
        out->ends = reader->came == out->size;
        reader->inside = !out->ends;
        return WEBSOCKET_PART;
}

bool websocket_at_rest(const struct websocket_reader *reader)
{
        return !reader->inside && reader->taken == 0;
}

/* ---- out ------------------------------------------------------------------------------------- */

struct header {
        char  *to;
        size_t size; /* 0 until it was written */
};

/* The header comes first; the payload goes its own way. */
static ssize_t take(const uint8_t *bytes, size_t size, int flags, void *context)
{
        struct header *header = context;

        (void)flags;
        if (header->size == 0) {
                memcpy(header->to, bytes, size);
                header->size = size;
        }
        return (ssize_t)size;
}

size_t websocket_header(char to[static WEBSOCKET_HEADER_SIZE], enum websocket_opcode opcode,
                        size_t size)
{
        static const struct wslay_frame_callbacks callbacks = { .send_callback = take };
        struct header                             header = { .to = to };
        struct wslay_frame_iocb                   frame = { .fin = 1,
                                                            .opcode = (uint8_t)opcode,
                                                            .payload_length = size };
        wslay_frame_context_ptr                   context;

        if (wslay_frame_context_init(&context, &callbacks, &header) != 0)
                return 0;
        wslay_frame_send(context, &frame);
        wslay_frame_context_free(context);
        return header.size;
}
