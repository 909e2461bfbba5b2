// SPDX-License-Identifier: Apache-2.0
// See torch_tensors.h. Finds the one dictionary of tensors in the tree and checks that every view
// stays inside its storage.
#include "format/torch_tensors.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "format/refuse.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 1024, NESTING_MAX = 3, UNTYPED = DTYPE_COUNT };

enum meaning { MEANS_STORAGE, MEANS_DTYPE, MEANS_TENSOR, MEANS_PARAMETER, MEANS_OTHER };

// The low byte is an enum meaning, the rest a dtype.
#define STORAGE(dtype) (MEANS_STORAGE | (dtype) << 8)
#define ELEMENT(dtype) (MEANS_DTYPE | (dtype) << 8)

// Unsigned and boolean types appear as the signed type of the same width, bits unchanged.
const struct pickle_global torch_globals[] = {
    {"collections", "OrderedDict", PICKLE_MAKES_DICT, MEANS_OTHER},
    {"torch", "Size", PICKLE_TAKES_FIRST, MEANS_OTHER},
    {"torch._utils", "_rebuild_tensor", PICKLE_NOTES_CALL, MEANS_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", PICKLE_NOTES_CALL, MEANS_TENSOR},
    {"torch._utils", "_rebuild_tensor_v3", PICKLE_NOTES_CALL, MEANS_TENSOR},
    {"torch._utils", "_rebuild_parameter", PICKLE_NOTES_CALL, MEANS_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", PICKLE_NOTES_CALL, MEANS_PARAMETER},
    {"torch", "FloatStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_F32)},
    {"torch", "DoubleStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_F64)},
    {"torch", "HalfStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_F16)},
    {"torch", "BFloat16Storage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_BF16)},
    {"torch", "LongStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I64)},
    {"torch", "IntStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I32)},
    {"torch", "ShortStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I16)},
    {"torch", "CharStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I8)},
    {"torch", "ByteStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I8)},
    {"torch", "BoolStorage", PICKLE_REFUSES_CALLS, STORAGE(DTYPE_I8)},
    {"torch.storage", "UntypedStorage", PICKLE_REFUSES_CALLS, STORAGE(UNTYPED)},
    {"torch", "UntypedStorage", PICKLE_REFUSES_CALLS, STORAGE(UNTYPED)},
    {"torch", "float32", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_F32)},
    {"torch", "float64", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_F64)},
    {"torch", "float16", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_F16)},
    {"torch", "bfloat16", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_BF16)},
    {"torch", "int64", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I64)},
    {"torch", "int32", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I32)},
    {"torch", "int16", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I16)},
    {"torch", "int8", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I8)},
    {"torch", "uint64", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I64)},
    {"torch", "uint32", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I32)},
    {"torch", "uint16", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I16)},
    {"torch", "uint8", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I8)},
    {"torch", "bool", PICKLE_REFUSES_CALLS, ELEMENT(DTYPE_I8)},
};

const size_t torch_n_globals = sizeof torch_globals / sizeof *torch_globals;

struct reading {
    struct torch_tensors *tensors;
    const char *label;
    uint64_t base_offset_bytes;
    struct error *err;
};

#define REFUSE(reading, status, value, ...)                                                        \
    refuse_at((reading)->err, status, (reading)->label,                                            \
              (reading)->base_offset_bytes + (value)->offset_bytes, __VA_ARGS__)

void torch_tensors_deinit(struct torch_tensors *tensors) {
    for (size_t i = 0; i < tensors->n_items; i++)
        free((void *)tensors->items[i].tensor.name);
    free(tensors->items);
    memset(tensors, 0, sizeof *tensors);
}

static enum meaning meaning_of(const struct pickle_value *value, enum dtype *dtype) {
    if (value->kind != PICKLE_GLOBAL && value->kind != PICKLE_CALL) return MEANS_OTHER;
    *dtype = (enum dtype)(value->as.call.global->meaning >> 8);
    return (enum meaning)(value->as.call.global->meaning & 0xff);
}

// A parameter is a call around a tensor; anything else that is no tensor gives NULL.
static const struct pickle_value *as_tensor(const struct pickle_value *value) {
    enum dtype ignored;
    if (value->kind != PICKLE_CALL) return NULL;
    if (meaning_of(value, &ignored) == MEANS_PARAMETER) {
        const struct pickle_value *arguments = value->as.call.argument;
        if (arguments->as.list.n == 0 || arguments->as.list.items[0]->kind != PICKLE_CALL)
            return NULL;
        value = arguments->as.list.items[0];
    }
    return meaning_of(value, &ignored) == MEANS_TENSOR ? value : NULL;
}

static const struct pickle_value *argument(const struct pickle_value *tuple, size_t index,
                                           enum pickle_kind kind) {
    if (index >= tuple->as.list.n || tuple->as.list.items[index]->kind != kind) return NULL;
    return tuple->as.list.items[index];
}

static bool read_size(const struct pickle_value *value, uint64_t *size) {
    if (!value || value->kind != PICKLE_INTEGER || value->as.integer < 0) return false;
    *size = (uint64_t)value->as.integer;
    return true;
}

// Persistent id: ("storage", class, key, location, n_elements[, (view key, offset, view size)]).
bool torch_storage_id_read(struct torch_storage_id *storage, const struct pickle_value *value) {
    const struct pickle_value *id = value->as.call.argument, *class, *key, *view;
    memset(storage, 0, sizeof *storage);
    if (id->kind != PICKLE_TUPLE || id->as.list.n < 5 || id->as.list.n > 6 ||
        !pickle_text_is(id->as.list.items[0], "storage") ||
        !(class = argument(id, 1, PICKLE_GLOBAL)) || !(key = argument(id, 2, PICKLE_TEXT)) ||
        !read_size(id->as.list.items[4], &storage->n_elements) ||
        meaning_of(class, &storage->dtype) != MEANS_STORAGE)
        return false;
    storage->key = key->as.text.data;
    storage->key_bytes = key->as.text.size_bytes;
    storage->view_size = storage->n_elements;
    uint64_t element_bytes = 1;
    if (storage->dtype != (enum dtype)UNTYPED)
        element_bytes = (uint64_t)dtype_info((uint32_t)storage->dtype)->block_bytes;
    if (!size_multiply(storage->n_elements, element_bytes, &storage->size_bytes)) return false;
    if (id->as.list.n == 5 || id->as.list.items[5]->kind == PICKLE_NONE) return true;
    view = id->as.list.items[5];
    return view->kind == PICKLE_TUPLE && view->as.list.n == 3 &&
           read_size(view->as.list.items[1], &storage->view_begin) &&
           read_size(view->as.list.items[2], &storage->view_size) &&
           storage->view_begin <= storage->n_elements &&
           storage->view_size <= storage->n_elements - storage->view_begin;
}

static enum status read_shape(struct reading *reading, struct torch_tensor *tensor,
                              const struct pickle_value *value, const struct pickle_value *sizes,
                              const struct pickle_value *strides) {
    struct checkpoint_tensor *view = &tensor->tensor;
    if (sizes->as.list.n != strides->as.list.n)
        return REFUSE(reading, STATUS_BAD_INPUT, value,
                      "tensor '%s': size and stride differ in "
                      "length",
                      view->name);
    if (sizes->as.list.n > CHECKPOINT_DIMS_MAX)
        return REFUSE(reading, STATUS_UNSUPPORTED, value, "tensor '%s': more than 4 dimensions",
                      view->name);
    uint64_t product = 1;
    view->n_dims = (int)sizes->as.list.n;
    view->n_elements = 1;
    for (int d = 0; d < view->n_dims; d++) {
        uint64_t size, stride;
        if (!read_size(sizes->as.list.items[d], &size) ||
            !read_size(strides->as.list.items[d], &stride) ||
            !size_multiply(product, size ? size : 1, &product) || product > INT64_MAX)
            return REFUSE(reading, STATUS_BAD_INPUT, value,
                          "tensor '%s': size or stride %d is no number, negative or too large",
                          view->name, d);
        view->shape[d] = size;
        tensor->strides[d] = stride;
        view->n_elements *= size;
    }
    if (!dtype_size_bytes(view->dtype, view->n_elements, &view->size_bytes))
        return REFUSE(reading, STATUS_BAD_INPUT, value, "tensor '%s': the size overflows",
                      view->name);
    return STATUS_OK;
}

// The last element that the view reaches must exist. A view larger than its storage (a broadcast)
// would let a small file demand any amount of memory.
static enum status check_reach(struct reading *reading, struct torch_tensor *tensor,
                               const struct pickle_value *value, uint64_t n_storage) {
    const struct checkpoint_tensor *view = &tensor->tensor;
    uint64_t last = 0, expected = 1;
    tensor->is_contiguous = true;
    if (view->n_elements == 0) return STATUS_OK;
    for (int d = view->n_dims - 1; d >= 0; d--) {
        uint64_t reach;
        if (!size_multiply(view->shape[d] - 1, tensor->strides[d], &reach) ||
            !size_add(last, reach, &last))
            last = UINT64_MAX;
        if (view->shape[d] != 1 && tensor->strides[d] != expected) tensor->is_contiguous = false;
        expected *= view->shape[d];
    }
    if (tensor->begin >= n_storage || last >= n_storage - tensor->begin)
        return REFUSE(reading, STATUS_BAD_INPUT, value,
                      "tensor '%s' reaches outside its storage of %llu elements", view->name,
                      (unsigned long long)n_storage);
    if (view->n_elements > n_storage)
        return REFUSE(reading, STATUS_UNSUPPORTED, value,
                      "tensor '%s' repeats its storage (a broadcast view)", view->name);
    return STATUS_OK;
}

// _rebuild_tensor_v2(storage, offset, size, stride, …); v3 has a dtype as argument 6.
static enum status read_view(struct reading *reading, struct torch_tensor *tensor,
                             const struct pickle_value *value) {
    const struct pickle_value *arguments = value->as.call.argument;
    const struct pickle_value *storage = argument(arguments, 0, PICKLE_PERSISTENT);
    const struct pickle_value *sizes = argument(arguments, 2, PICKLE_TUPLE);
    const struct pickle_value *strides = argument(arguments, 3, PICKLE_TUPLE);
    uint64_t begin, n_storage;
    if (!storage || !sizes || !strides || !read_size(arguments->as.list.items[1], &begin))
        return REFUSE(reading, STATUS_BAD_INPUT, value,
                      "tensor '%s': expected storage, offset, size and stride",
                      tensor->tensor.name);
    if (!torch_storage_id_read(&tensor->storage, storage))
        return REFUSE(reading, STATUS_BAD_INPUT, storage,
                      "tensor '%s': the persistent id names no storage", tensor->tensor.name);
    tensor->tensor.dtype = tensor->storage.dtype;
    n_storage = tensor->storage.view_size;
    if (tensor->tensor.dtype == (enum dtype)UNTYPED) {
        const struct pickle_value *dtype = argument(arguments, 6, PICKLE_GLOBAL);
        if (!dtype || meaning_of(dtype, &tensor->tensor.dtype) != MEANS_DTYPE)
            return REFUSE(reading, STATUS_BAD_INPUT, value, "tensor '%s' has no dtype",
                          tensor->tensor.name);
        n_storage /= (uint64_t)dtype_info((uint32_t)tensor->tensor.dtype)->block_bytes;
    }
    TRY(read_shape(reading, tensor, value, sizes, strides));
    tensor->begin = begin;
    TRY(check_reach(reading, tensor, value, n_storage));
    if (!size_add(tensor->begin, tensor->storage.view_begin, &tensor->begin))
        return REFUSE(reading, STATUS_BAD_INPUT, value, "tensor '%s': the offset overflows",
                      tensor->tensor.name);
    return STATUS_OK;
}

static enum status set_name(struct reading *reading, struct torch_tensor *tensor,
                            const struct pickle_value *key, size_t skip) {
    const char *text = key->as.text.data;
    size_t size_bytes = key->as.text.size_bytes;
    if (key->kind != PICKLE_TEXT || size_bytes <= skip || size_bytes > NAME_BYTES_MAX ||
        memchr(text, 0, size_bytes) || !utf8_is_valid(text, size_bytes))
        return REFUSE(reading, STATUS_BAD_INPUT, key,
                      "a tensor's name is no text, empty, too long "
                      "or not valid UTF-8");
    char *name = malloc(size_bytes - skip + 1);
    if (!name) return error_no_memory(reading->err, "a tensor name", size_bytes);
    memcpy(name, text + skip, size_bytes - skip);
    name[size_bytes - skip] = '\0';
    tensor->tensor.name = name;
    return STATUS_OK;
}

static size_t count_tensors(const struct pickle_value *dict) {
    size_t n = 0;
    for (size_t i = 1; dict->kind == PICKLE_DICT && i < dict->as.list.n; i += 2)
        n += as_tensor(dict->as.list.items[i]) != NULL;
    return n;
}

// What torch's wrappers (DataParallel, compile) put before every name.
static size_t common_prefix(const struct pickle_value *dict) {
    static const char *const prefixes[] = {"module.", "_orig_mod."};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        size_t length = strlen(prefixes[p]);
        bool all = true;
        for (size_t i = 0; all && i + 1 < dict->as.list.n; i += 2) {
            const struct pickle_value *key = dict->as.list.items[i];
            if (!as_tensor(dict->as.list.items[i + 1])) continue;
            all = key->kind == PICKLE_TEXT && key->as.text.size_bytes > length &&
                  memcmp(key->as.text.data, prefixes[p], length) == 0;
        }
        if (all) return length;
    }
    return 0;
}

// A training checkpoint keeps its weights one or more dictionaries down. NULL in *inner: they are
// here.
static enum status find_nested(struct reading *reading, const struct pickle_value *dict,
                               const struct pickle_value **inner) {
    static const char *const keys[] = {"model", "state_dict", "model_state_dict", "module"};
    const char *chosen = NULL;
    *inner = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct pickle_value *value = pickle_dict_get(dict, keys[i]);
        if (!value || value->kind != PICKLE_DICT) continue;
        if (chosen)
            return REFUSE(reading, STATUS_BAD_INPUT, value,
                          "both '%s' and '%s' hold a dictionary: which one is the model is unclear",
                          chosen, keys[i]);
        chosen = keys[i];
        *inner = value;
    }
    return STATUS_OK;
}

static enum status find_dict(struct reading *reading, const struct pickle_value *root,
                             const struct pickle_value **dict) {
    const struct pickle_value *at = root;
    for (int depth = 0; at->kind == PICKLE_DICT && depth <= NESTING_MAX; depth++) {
        const struct pickle_value *inner;
        TRY(find_nested(reading, at, &inner));
        if (!inner) break;
        at = inner;
    }
    if (count_tensors(at) == 0)
        return REFUSE(reading, STATUS_BAD_INPUT, at,
                      "no dictionary of named tensors (a state_dict), neither at the top nor under "
                      "model, state_dict, model_state_dict or module");
    *dict = at;
    return STATUS_OK;
}

enum status torch_tensors_read(struct torch_tensors *tensors, const char *label,
                               uint64_t base_offset_bytes, const struct pickle *pickle,
                               struct error *err) {
    struct reading reading = {tensors, label, base_offset_bytes, err};
    const struct pickle_value *dict = NULL;
    memset(tensors, 0, sizeof *tensors);
    TRY(find_dict(&reading, pickle->root, &dict));
    size_t n = count_tensors(dict), skip = common_prefix(dict);
    tensors->items = calloc(n, sizeof *tensors->items);
    if (!tensors->items) return error_no_memory(err, "tensors", n * sizeof *tensors->items);
    for (size_t i = 0; i + 1 < dict->as.list.n; i += 2) {
        const struct pickle_value *value = as_tensor(dict->as.list.items[i + 1]);
        if (!value) continue;
        struct torch_tensor *tensor = &tensors->items[tensors->n_items];
        TRY(set_name(&reading, tensor, dict->as.list.items[i], skip));
        tensors->n_items++;
        TRY(read_view(&reading, tensor, value));
    }
    return STATUS_OK;
}
