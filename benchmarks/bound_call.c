/* A compiled network's function with its three pointers, bound to a Python object: one method call runs it, as one
 * method call of LiteRT's own extension module runs an interpreter. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef void (*network)(const void *input, void *output, void *arena);

typedef struct {
    PyObject_HEAD network run;
    void *input, *output, *arena;
} bound;

static PyObject *invoke(PyObject *self, PyObject *unused) {
    bound *const b = (bound *)self;
    (void)unused;
    b->run(b->input, b->output, b->arena);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"invoke", invoke, METH_NOARGS, "Run once."}, {NULL, NULL, 0, NULL}};
static PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0)};

/* bind(function, input, output, arena): addresses. */
static PyObject *bind(PyObject *self, PyObject *arguments) {
    unsigned long long run, input, output, arena;
    bound *made;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "KKKK", &run, &input, &output, &arena))
        return NULL;
    made = PyObject_New(bound, &type);
    if (!made)
        return NULL;
    made->run = (network)(uintptr_t)run;
    made->input = (void *)(uintptr_t)input;
    made->output = (void *)(uintptr_t)output;
    made->arena = (void *)(uintptr_t)arena;
    return (PyObject *)made;
}

static PyMethodDef functions[] = {{"bind", bind, METH_VARARGS, "A network with its buffers."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "bound_call", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_bound_call(void) {
    type.tp_name = "bound_call.Bound";
    type.tp_basicsize = sizeof(bound);
    type.tp_methods = methods;
    type.tp_flags = Py_TPFLAGS_DEFAULT;
    if (PyType_Ready(&type) < 0)
        return NULL;
    return PyModule_Create(&module);
}
