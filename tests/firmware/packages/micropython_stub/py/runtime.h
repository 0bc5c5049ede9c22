/* As much of MicroPython's C API as a generated module uses, on the C library: no interpreter, nothing is collected. */
#ifndef STUB_RUNTIME_H
#define STUB_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* The build finds the module's names, as MicroPython's does. */
#include "qstrs.h"

#define MICROPY_PY_BUILTINS_FLOAT 1
#ifndef MICROPY_PY_ATTRTUPLE
#define MICROPY_PY_ATTRTUPLE 1
#endif
#define MICROPY_FLOAT_CONST(x) x##F
#define MP_ERROR_TEXT(text) text
#define MP_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MP_BUFFER_READ 1
#define BYTEARRAY_TYPECODE 1

typedef unsigned char byte;
typedef float mp_float_t;
typedef intptr_t mp_int_t;
typedef uintptr_t mp_uint_t;
typedef unsigned qstr;
typedef void *mp_obj_t;
typedef const void *mp_rom_obj_t;

typedef struct {
    const char *name;
} mp_obj_type_t;

typedef struct {
    const mp_obj_type_t *type;
} mp_obj_base_t;

typedef struct {
    mp_obj_base_t base;
    uint32_t hash;
    size_t len;
    const byte *data;
} mp_obj_str_t;

typedef struct {
    mp_obj_base_t base;
    size_t len;
    mp_obj_t items[];
} mp_obj_tuple_t;

typedef struct {
    mp_obj_base_t base;
    size_t len;
    mp_rom_obj_t items[];
} mp_rom_obj_tuple_t;

typedef struct {
    mp_obj_base_t base;
    mp_obj_t (*call_0)(void);
    mp_obj_t (*call_1)(mp_obj_t);
} mp_obj_fun_t;

typedef struct {
    mp_rom_obj_t key, value;
} mp_rom_map_elem_t;

typedef struct {
    mp_obj_base_t base;
    size_t used;
    const mp_rom_map_elem_t *table;
} mp_obj_dict_t;

typedef struct {
    mp_obj_base_t base;
    mp_obj_dict_t *globals;
} mp_obj_module_t;

typedef struct {
    void *buf;
    size_t len;
    int typecode;
} mp_buffer_info_t;

extern const mp_obj_type_t mp_type_str, mp_type_tuple, mp_type_fun, mp_type_dict, mp_type_module, mp_type_ValueError;
extern const mp_obj_type_t mp_type_RuntimeError;
extern const mp_obj_base_t stub_none, stub_true, stub_false;

#define mp_const_none ((mp_obj_t) & stub_none)
#define MP_OBJ_TO_PTR(object) (object)
#define MP_OBJ_FROM_PTR(pointer) ((mp_obj_t)(pointer))
#define MP_OBJ_NEW_SMALL_INT(value) ((mp_obj_t)(((mp_uint_t)(mp_int_t)(value) << 1) | 1u))
#define MP_ROM_INT(value) MP_OBJ_NEW_SMALL_INT(value)
/* Names are small even numbers, integers are odd: neither is an address. */
#define MP_ROM_QSTR(name) ((mp_rom_obj_t)((uintptr_t)(name) << 1))
#define MP_ROM_PTR(pointer) ((mp_rom_obj_t)(pointer))
#define MP_DEFINE_CONST_FUN_OBJ_0(object, function) const mp_obj_fun_t object = {{&mp_type_fun}, function, NULL}
#define MP_DEFINE_CONST_FUN_OBJ_1(object, function) const mp_obj_fun_t object = {{&mp_type_fun}, NULL, function}
#define MP_DEFINE_CONST_DICT(object, elements)                                                                         \
    const mp_obj_dict_t object = {{&mp_type_dict}, MP_ARRAY_SIZE(elements), elements}
#define MP_REGISTER_MODULE(name, module) const mp_obj_module_t *const stub_module = &module

mp_obj_t mp_obj_new_bool(mp_int_t value);
mp_obj_t mp_obj_new_float(mp_float_t value);
mp_obj_t mp_obj_new_int_from_uint(mp_uint_t value);
mp_obj_t mp_obj_new_tuple(size_t count, const mp_obj_t *items);
mp_obj_t mp_obj_new_attrtuple(const qstr *fields, size_t count, const mp_obj_t *items);
mp_float_t mp_obj_get_float(mp_obj_t object);
mp_int_t mp_obj_get_int(mp_obj_t object);
void mp_obj_get_array_fixed_n(mp_obj_t object, size_t count, mp_obj_t **items);
int mp_get_buffer(mp_obj_t object, mp_buffer_info_t *buffer, mp_uint_t flags);
void mp_get_buffer_raise(mp_obj_t object, mp_buffer_info_t *buffer, mp_uint_t flags);
__attribute__((noreturn)) void mp_raise_ValueError(const char *text);
__attribute__((noreturn)) void mp_raise_msg(const mp_obj_type_t *type, const char *text);
__attribute__((noreturn, format(printf, 2, 3))) void mp_raise_msg_varg(const mp_obj_type_t *type, const char *text,
                                                                       ...);

#endif
