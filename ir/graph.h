/* The dataflow graph: typed, shape-checked, hash-consed nodes without effects. A node is a value; equal nodes are one
 * node and keep every origin; nothing is edited after construction. A program's effects (parameters read and written,
 * states, random draws) are inputs and outputs of the graph. The operators are the rows of ops.def. */
#ifndef PTM_GRAPH_H
#define PTM_GRAPH_H

#include "ir/base/source.h"
#include "ir/dim.h"

enum { MAX_RANK = 8 };

typedef enum DType {
#define DTYPE(name, bytes, class) DT_##name,
#include "runtime/core/dtype.def"
#undef DTYPE
    DT_COUNT
} DType;

const char *dtype_name(DType t);
bool        dtype_find(const char *name, DType *out);
int         dtype_bytes(DType t);
bool        dtype_is_float(DType t);
double      round_to_dtype(DType t, double x);               /* to nearest, ties to even; of no float type: as it is */
bool        dtype_is_whole(DType t);                         /* any integer, signed or not; not bool */

typedef struct Type {
    DType      dtype;
    int        rank;                                         /* 0: a scalar */
    const Dim *dim[MAX_RANK];                                /* outermost first; NULL past rank */
} Type;

Type        type_scalar(DType dtype);
Type        type_of(DType dtype, int rank, const Dim *const *dim);
bool        type_equal(const Type *a, const Type *b);
bool        type_same_shape(const Type *a, const Type *b);
const Dim  *type_elements(Dims *t, const Type *type);        /* product of the dimensions */
int64_t     type_value_elements(const Type *type);           /* its value, or -1 */
int64_t     type_value_bytes(const Type *type);              /* unpadded, or -1 */
const char *type_text(Arena *arena, const Type *type);       /* "f32[B, T + 1]" */
const char *type_index_text(Arena *arena, const Type *type, int64_t element);        /* row-major: "[3, 5]" */

typedef enum Op {
#define ELEMENT(name, ...) OP_##name,
#define STRUCTURAL(name, ...) OP_##name,
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    OP_COUNT
} Op;

/* What an input of a graph is, and so in which memory block it lies and who fills it. */
typedef enum Storage {
    STORE_data,          /* a batch, an argument: filled before every run, gone after its last use */
    STORE_param,         /* the model's; saved */
    STORE_state,         /* a session's: hidden state, optimizer moments; saved for resume */
    STORE_sum,           /* a gradient (or loss) that is added up over the shards of a step */
    STORE_const,         /* a table from `data`; read-only, saved */
    STORE_ambient,       /* "seed": i64, "step": i64; in the body of a scan "index": i64, the place t along the axis */
    STORE_each,          /* in the body of a scan: element t of the argument, whose first axis the scan goes along */
    STORE_carry,         /* in the body of a scan: what the iteration before left, first the argument */
    STORE_outer          /* in the body of a scan: the argument, the same in every iteration */
} Storage;
const char *storage_name(Storage s);

/* Everything about a node that is not a type or an argument. Unused fields are zero; texts are interned in the graph,
 * so two attributes are equal exactly when their bytes are. ops.def says which operator uses which field. */
typedef struct Attr {
    int         axis;
    uint32_t    axes;                    /* bit k: axis k of the argument */
    int8_t      map[MAX_RANK];           /* permute: result axis k is argument axis map[k]; expand: argument axis k is
                                            result axis map[k] */
    const Dim  *start[MAX_RANK];         /* slice: first index; pad: zeros before */
    int64_t     step[MAX_RANK];          /* slice: signed step, never 0; window: step[0] */
    const char *text;                    /* einsum: "bhtd,bhsd->bhts"; input: its name; uniform, integers: the key */
    double      f;                       /* const: the value of a float */
    int64_t     i;                       /* const: the value of a whole number or bool; scatter: 0 set, 1 add; scan: 1
                                            from the last element to the first; pick: which result */
    int         storage;                 /* input: a Storage */
    const Dim  *count;                   /* scan: iterations */
} Attr;

typedef struct Node Node;
struct Node {
    Op            op;
    uint32_t      id;                    /* position in graph->nodes; arguments have smaller ids */
    Type          type;
    int           arg_count;
    Node        **args;
    Attr          attr;
    const Origin **origins;              /* every source place merged into this node, first one first */
    int           origin_count, origins_noted;           /* the latter is for the graph's own tables */
    const struct Graph *region;          /* scan: its body, a graph over the same dims that never changes once it is
                                            here. See Scan below */
};

/* A value the graph returns: a result of the entry, or the new value of the input it updates. */
typedef enum OutputKind { OUTPUT_result, OUTPUT_update } OutputKind;
typedef struct Output {
    OutputKind  kind;
    const char *name;                    /* result: "loss", "0", "1" …; update: the input's name */
    Node       *node;
} Output;

enum { MAX_SCAN_DEPTH = 64 };            /* so that what walks bodies may recurse */

typedef struct Graph Graph;
struct Graph {
    Arena *arena;
    Dims  *dims;
    const char *name;                    /* the entry, such as "loss" */
    Vec(Node *) nodes;                   /* in order of construction, which is a topological order */
    Vec(Node *) inputs;                  /* nodes of OP_input, in order of first use; names are unique */
    Vec(Output) outputs;
    int    scan_depth;                   /* of scans within each other; at most MAX_SCAN_DEPTH */
    const Origin *origin;                /* given to nodes made now; set it before building */
    struct GraphTables *tables;          /* hash-consing and text pool */
};

Graph *graph_new(Arena *arena, Dims *dims, const char *name);
const char *graph_text(Graph *g, const char *text);                     /* interns */
/* A second output of the same kind and name replaces the first. */
void   graph_output(Graph *g, OutputKind kind, const char *name, Node *node);
Node  *graph_find_input(const Graph *g, const char *name);              /* NULL when absent */
/* An input that a later run finds as it was, or as it was updated. Those of storage `data` are filled before every
 * run. */
bool   graph_input_stays(const Node *node);

/* Makes a node, or returns the equal one made before (with g->origin added to its origins). The shape rule of the row
 * checks types and attributes and computes the result type; `type` gives what the row says it must (dtype of a cast,
 * shape of a reshape …) and is NULL elsewhere. On a violation it returns NULL and *why says what was found and
 * expected. Commutative operators are not reordered here. Nodes whose arguments are all constants stay as they are:
 * folding is `simplify`. */
Node *graph_node(Graph *g, Op op, Node *const *args, int arg_count, const Attr *attr, const Type *type,
                 const char **why);

/* Scan: a loop over `count` elements, one node. Its body is a graph: the inputs of storage each, carry and outer
 * belong, in order, to the scan's arguments; besides there may be the ambient "index". No other storage stands in a
 * body: seed, step, parameters come in as outer. For every carry there is an update of its name (the new value, of
 * its type); the results of the body are emitted, one element of the stacked value in each iteration, at the place t
 * whatever the direction. attr.axis: 0, or 1 + the number of a bool scalar among the carries: once it is true no
 * further iteration begins, and what was not emitted is zero (`until`); such a scan has no gradient.
 * The value of the scan itself is a placeholder (i64: the iterations made; nothing may read it but `pick`). Its
 * results are picks: pick k is the final value of carry k (in the order of the inputs), and after those the stacked
 * results, [count, ..], in the order of the body's outputs. Two scans are equal only when their bodies are one graph.
 * Draws in a body take the index as one more argument: iteration t draws numbers t*n .. t*n + n - 1 of the key's
 * stream, so that the same draw outside, with an axis of `count` before the others, gives the same numbers. */
Node *graph_scan(Graph *g, Node *const *args, int arg_count, const Attr *attr, const Graph *region, const char **why);
Node *make_scan(Graph *g, Node *const *args, int arg_count, const Attr *attr, const Graph *region);
Node *make_pick(Graph *g, Node *scan, int k);
const Node   *scan_input(const Node *scan, int k);           /* the body's input for argument k */
int           scan_carry_count(const Node *scan);
int           scan_result_count(const Node *scan);           /* carries and stacked results: as many picks there are */
const Node   *scan_carry(const Node *scan, int k);           /* the body's input of carry k */
const Output *scan_output(const Node *scan, int k);          /* the body's output that pick k is made of: an update or a
                                                                result */
int           scan_argument(const Node *scan, const Node *input);    /* of an input of its body; -1: index */

/* Builders for passes: the same, but a violation is our bug: they print the node and abort. */
Node *make_input(Graph *g, Storage storage, const char *name, Type type);
Node *make_float(Graph *g, DType dtype, double value);                   /* scalar const */
Node *make_whole(Graph *g, DType dtype, int64_t value);                  /* scalar const of an integer type or bool */
Node *make_unary(Graph *g, Op op, Node *a);
Node *make_binary(Graph *g, Op op, Node *a, Node *b);                    /* shapes must be equal */
Node *make_where(Graph *g, Node *condition, Node *a, Node *b);
Node *make_cast(Graph *g, Node *a, DType dtype);
Node *make_reduce(Graph *g, Op op, Node *a, uint32_t axes);              /* sum, reduce_max */
Node *make_expand(Graph *g, Node *a, const int8_t *map, Type type);
Node *make_broadcast(Graph *g, Node *a, Type type); /* expand aligned at the end; identity when equal */
Node *make_permute(Graph *g, Node *a, const int8_t *map);
Node *make_reshape(Graph *g, Node *a, Type type);
Node *make_slice(Graph *g, Node *a, const Dim *const *start, const int64_t *step, Type type);
Node *make_pad(Graph *g, Node *a, const Dim *const *before, Type type);
Node *make_einsum(Graph *g, const char *equation, Node *a, Node *b);
Node *make_full(Graph *g, Type type, double value); /* expand of a const; value 0 or 1 for integers too */
Node *make_cumsum(Graph *g, Node *a, int axis);
Node *make_concat(Graph *g, Node *const *args, int count, int axis);
Node *make_window(Graph *g, Node *a, int axis, int64_t step, Type type);
Node *make_gather(Graph *g, Node *x, Node *const *indices, int count, int axis);
Node *make_scatter(Graph *g, Node *x, Node *v, Node *const *indices, int count, int axis, bool add);
Node *make_iota(Graph *g, Type type, int axis);

/* Copies `node` (of another graph with the same dims, or of this one) with other arguments; keeps its origins. A scan
 * keeps its body. */
Node *graph_rebuild(Graph *g, const Node *node, Node *const *args);
/* Adds the origin, unless the node has one that prints alike; those of another node, which `node` now stands for. */
void  graph_add_origin(Graph *g, Node *node, const Origin *origin);
void  graph_add_origins(Graph *g, Node *node, const Node *from);
/* "gpt.ptm:21:9 h.0.attn < gpt.ptm:30:5": the place, its label path, the calls that led there. "-" without a place. */
const char *origin_text(Arena *arena, const Origin *origin);

/* Table access. */
const char *op_name(Op op);
const char *op_doc(Op op);
bool        op_find(const char *name, Op *out);
int         op_arity(Op op);                                             /* -1: any number */
bool        op_is_element(Op op);
bool        op_is_movement(Op op);  /* reshape permute expand slice pad concat window */

/* Checks every invariant (types, ids, argument order, unique inputs, outputs in the graph), also of the bodies of
 * scans. A graph with inputs of storage each, carry or outer is checked as a body. Returns NULL or the reason. */
const char *graph_verify(const Graph *g, Arena *arena);

/* Text: prints and reads back identically, origins included.
 *   graph loss
 *   dim B = 12, T = 64, V = 65
 *   %0 = input "ids" data : i32[B, T + 1]            @ gpt.ptm:21:9 h.0.attn < gpt.ptm:30:5 ; prelude/nn.ptm:3:9
 *   %3 = slice %0 start=[0, 1] step=[1, 1] : i32[B, T]
 *   result "loss" %9
 *   update "wte.weight" %12
 * A scan has its body's lines behind its own, deeper by two blanks, with numbers of their own:
 *   %7 = scan %3 %5 %6 axis=0 i=0 count=T : i64 {
 *     %0 = input "x_t" each : f32[B, I]
 *     %1 = input "h" carry : f32[B, H]
 *     ...
 *     update "h" %9
 *     result "0" %9
 *   }
 *   %8 = pick %7 i=0 : f32[B, H]
 */
void   graph_print(const Graph *g, FILE *out);
void   graph_print_dot(const Graph *g, FILE *out);
Graph *graph_read(Arena *arena, const Source *source, Diagnostics *d);   /* NULL after reporting errors */

#endif
