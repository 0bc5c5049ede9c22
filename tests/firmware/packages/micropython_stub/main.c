/* Calls a generated module as a program would, a line of JSON for each answer; windows of floats come in through stdin.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "py/runtime.h"

extern const mp_obj_module_t *const stub_module;

static const char *const names[] = {STUB_NAMES};
static const mp_obj_type_t type_attrtuple = {"attrtuple"}, type_float = {"float"}, type_buffer = {"buffer"};
const mp_obj_type_t mp_type_str = {"str"}, mp_type_tuple = {"tuple"}, mp_type_fun = {"function"};
const mp_obj_type_t mp_type_dict = {"dict"}, mp_type_module = {"module"}, mp_type_ValueError = {"ValueError"};
const mp_obj_type_t mp_type_RuntimeError = {"RuntimeError"};
static const mp_obj_type_t type_TypeError = {"TypeError"}, type_none = {"none"}, type_bool = {"bool"};
const mp_obj_base_t stub_none = {&type_none}, stub_true = {&type_bool}, stub_false = {&type_bool};

typedef struct {
    mp_obj_base_t base;
    float value;
} float_object;

typedef struct {
    mp_obj_base_t base;
    mp_buffer_info_t info;
} buffer_object;

static jmp_buf raised;
static char message[200];

static void *take(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL)
        abort();
    return memory;
}

static int is_small(mp_obj_t object) { return (uintptr_t)object & 1u; }
static int is_name(mp_obj_t object) { return (uintptr_t)object < 2 * MP_ARRAY_SIZE(names); }
static int is(mp_obj_t object, const mp_obj_type_t *type) {
    return !is_small(object) && !is_name(object) && ((mp_obj_base_t *)object)->type == type;
}

mp_obj_t mp_obj_new_bool(mp_int_t value) { return (mp_obj_t)(value ? &stub_true : &stub_false); }
mp_obj_t mp_obj_new_int_from_uint(mp_uint_t value) { return MP_OBJ_NEW_SMALL_INT((mp_int_t)value); }

mp_obj_t mp_obj_new_float(mp_float_t value) {
    float_object *made = take(sizeof *made);
    made->base.type = &type_float;
    made->value = value;
    return made;
}

static mp_obj_t tuple(const mp_obj_type_t *type, size_t count, const mp_obj_t *items) {
    mp_obj_tuple_t *made = take(sizeof *made + (count + 1) * sizeof(mp_obj_t));
    made->base.type = type;
    made->len = count;
    for (size_t i = 0; items != NULL && i < count; ++i)
        made->items[i] = items[i];
    return made;
}

mp_obj_t mp_obj_new_tuple(size_t count, const mp_obj_t *items) { return tuple(&mp_type_tuple, count, items); }

mp_obj_t mp_obj_new_attrtuple(const qstr *fields, size_t count, const mp_obj_t *items) {
    mp_obj_tuple_t *made = tuple(&type_attrtuple, count, items);
    made->items[count] = (mp_obj_t)(uintptr_t)fields;
    return made;
}

void mp_raise_msg_varg(const mp_obj_type_t *type, const char *text, ...) {
    va_list arguments;
    int used = snprintf(message, sizeof message, "{\"%s\": \"", type->name);
    va_start(arguments, text);
    used += vsnprintf(message + used, sizeof message - (size_t)used, text, arguments);
    va_end(arguments);
    snprintf(message + used, sizeof message - (size_t)used, "\"}");
    longjmp(raised, 1);
}

void mp_raise_msg(const mp_obj_type_t *type, const char *text) { mp_raise_msg_varg(type, "%s", text); }
void mp_raise_ValueError(const char *text) { mp_raise_msg(&mp_type_ValueError, text); }

mp_float_t mp_obj_get_float(mp_obj_t object) {
    if (is(object, &type_float))
        return ((float_object *)object)->value;
    return (mp_float_t)mp_obj_get_int(object);
}

mp_int_t mp_obj_get_int(mp_obj_t object) {
    if (!is_small(object))
        mp_raise_msg(&type_TypeError, "not a number");
    return (mp_int_t)object >> 1;
}

void mp_obj_get_array_fixed_n(mp_obj_t object, size_t count, mp_obj_t **items) {
    if (!is(object, &mp_type_tuple))
        mp_raise_msg(&type_TypeError, "not a tuple");
    if (((mp_obj_tuple_t *)object)->len != count)
        mp_raise_ValueError("length of the tuple");
    *items = ((mp_obj_tuple_t *)object)->items;
}

int mp_get_buffer(mp_obj_t object, mp_buffer_info_t *buffer, mp_uint_t flags) {
    if (flags != MP_BUFFER_READ || !is(object, &type_buffer))
        return 0;
    *buffer = ((buffer_object *)object)->info;
    return 1;
}

void mp_get_buffer_raise(mp_obj_t object, mp_buffer_info_t *buffer, mp_uint_t flags) {
    if (!mp_get_buffer(object, buffer, flags))
        mp_raise_msg(&type_TypeError, "not a buffer");
}

static void print(mp_obj_t object) {
    if (is_small(object)) {
        printf("%ld", (long)((mp_int_t)object >> 1));
    } else if (is_name(object)) {
        printf("\"%s\"", names[(uintptr_t)object >> 1]);
    } else if (is(object, &type_none)) {
        printf("null");
    } else if (is(object, &type_bool)) {
        printf(object == (mp_obj_t)&stub_true ? "true" : "false");
    } else if (is(object, &type_float)) {
        printf("%.9g", (double)((float_object *)object)->value);
    } else if (is(object, &mp_type_str)) {
        const mp_obj_str_t *text = object;
        printf("\"");
        for (size_t i = 0; i < text->len; ++i)
            printf(text->data[i] < 32 || strchr("\"\\", text->data[i]) ? "\\u%04x" : "%c", text->data[i]);
        printf("\"");
    } else if (is(object, &mp_type_tuple) || is(object, &type_attrtuple)) {
        const mp_obj_tuple_t *all = object;
        const qstr *fields = is(object, &type_attrtuple) ? (const qstr *)all->items[all->len] : NULL;
        printf(fields ? "{" : "[");
        for (size_t i = 0; i < all->len; ++i) {
            printf(i ? ", " : "");
            if (fields)
                printf("\"%s\": ", names[fields[i]]);
            print(all->items[i]);
        }
        printf(fields ? "}" : "]");
    } else {
        printf("\"%s\"", ((mp_obj_base_t *)object)->type->name);
    }
}

static mp_obj_t member(const char *name) {
    const mp_obj_dict_t *all = stub_module->globals;
    for (size_t i = 0; i < all->used; ++i)
        if (strcmp(names[(uintptr_t)all->table[i].key >> 1], name) == 0)
            return (mp_obj_t)(uintptr_t)all->table[i].value;
    return NULL;
}

static void call(const char *name, mp_obj_t argument) {
    const mp_obj_fun_t *function = member(name);
    if (function == NULL)
        printf("\"no %s\"", name);
    else if (setjmp(raised))
        printf("%s", message);
    else
        print(argument ? function->call_1(argument) : function->call_0());
    printf("\n");
}

static mp_obj_t buffer(int typecode, void *data, size_t bytes) {
    buffer_object *made = take(sizeof *made);
    *made = (buffer_object){{&type_buffer}, {data, bytes, typecode}};
    return made;
}

int main(void) {
    const size_t channels = (size_t)mp_obj_get_int(member("CHANNELS"));
    const size_t samples = (size_t)mp_obj_get_int(member("WINDOW_SAMPLES")), size = samples * channels;
    float *window = take(size * sizeof *window), *shifted = take(size * sizeof *window + 1);
    int16_t *counts = take(size * sizeof *counts);
    const mp_obj_dict_t *all = stub_module->globals;
    printf("{");
    for (size_t i = 0; i < all->used; ++i) {
        printf("%s\"%s\": ", i ? ", " : "", names[(uintptr_t)all->table[i].key >> 1]);
        print((mp_obj_t)(uintptr_t)all->table[i].value);
    }
    printf("}\n");
    call("__init__", NULL);
    call("check", NULL);
    call("selftest", NULL);
    call("monitor", NULL);
    for (size_t i = 0; i < size; ++i)
        counts[i] = (int16_t)(i * 321 - 900);
    while (fread(window, sizeof *window, size, stdin) == size) {
        call("classify", buffer('f', window, size * sizeof *window));
        call("classify_counts", buffer('h', counts, size * sizeof *counts));
        for (size_t i = 0; i < samples; ++i)
            call("push", buffer('f', window + i * channels, channels * sizeof *window));
    }
    call("monitor", NULL);
    call("reset", NULL);
    call("monitor", NULL);
    /* Bytes are as good as an array of them, a tuple as good as a sample. */
    call("classify", buffer(BYTEARRAY_TYPECODE, window, size * sizeof *window));
    mp_obj_tuple_t *sample = mp_obj_new_tuple(channels, NULL);
    for (size_t i = 0; i < channels; ++i)
        sample->items[i] = i ? MP_OBJ_NEW_SMALL_INT(3) : mp_obj_new_float(0.5f);
    for (size_t i = 0; i < samples; ++i)
        call("push", sample);
    sample->items[0] = MP_OBJ_NEW_SMALL_INT(-32768);
    for (size_t i = 0; i < samples; ++i)
        call("push_counts", sample);
    /* What is refused. */
    call("classify", buffer('f', window, (size - 1) * sizeof *window));
    call("classify", buffer('h', window, size * sizeof *window));
    call("classify", buffer('B', (char *)shifted + 1, size * sizeof *window));
    call("classify", sample);
    call("classify_counts", buffer('h', counts, size * sizeof *counts + 2));
    call("classify_counts", buffer('H', counts, size * sizeof *counts));
    call("push", buffer('f', window, (channels + 1) * sizeof *window));
    call("push", mp_obj_new_tuple(channels + 1, sample->items));
    call("push", MP_OBJ_NEW_SMALL_INT(3));
    sample->items[0] = MP_OBJ_NEW_SMALL_INT(32768);
    call("push_counts", sample);
    window[size - 1] = NAN;
    call("classify", buffer('f', window, size * sizeof *window));
    return 0;
}
