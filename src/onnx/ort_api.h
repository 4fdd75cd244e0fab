/* The part of the ONNX Runtime C interface that this program uses, in its own words.
 *
 * The runtime hands out a table of functions that only ever grows at its end, so a slot number is for ever. Slots were checked against
 * the published header order and run against 1.15, 1.30 and 1.32. Only opaque pointers and plain arrays pass through.
 */
#ifndef DSP_ONNX_ORT_API_H
#define DSP_ONNX_ORT_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtThreadingOptions OrtThreadingOptions;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

typedef struct {
    const void *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

enum { ORT_API_VERSION = 13, ORT_LOG_FATAL = 4 };

/* slot, result, name, parameters */
#define ORT_FUNCTIONS(F) \
    F(2, const char *, GetErrorMessage, (const OrtStatus *)) \
    F(3, OrtStatus *, CreateEnv, (int level, const char *id, OrtEnv **)) \
    F(7, OrtStatus *, CreateSession, (const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **)) \
    F(8, OrtStatus *, CreateSessionFromArray, (const OrtEnv *, const void *model, size_t len, const OrtSessionOptions *, OrtSession **)) \
    F(9, OrtStatus *, Run, (OrtSession *, const OrtRunOptions *, const char *const *in_names, const OrtValue *const *in, size_t n_in, \
                            const char *const *out_names, size_t n_out, OrtValue **out)) \
    F(10, OrtStatus *, CreateSessionOptions, (OrtSessionOptions **)) \
    F(19, OrtStatus *, DisableCpuMemArena, (OrtSessionOptions *)) \
    F(22, OrtStatus *, SetSessionLogSeverityLevel, (OrtSessionOptions *, int level)) \
    F(23, OrtStatus *, SetSessionGraphOptimizationLevel, (OrtSessionOptions *, int level)) \
    F(24, OrtStatus *, SetIntraOpNumThreads, (OrtSessionOptions *, int n)) \
    F(31, OrtStatus *, SessionGetOutputCount, (const OrtSession *, size_t *)) \
    F(34, OrtStatus *, SessionGetOutputTypeInfo, (const OrtSession *, size_t index, OrtTypeInfo **)) \
    F(37, OrtStatus *, SessionGetOutputName, (const OrtSession *, size_t index, OrtAllocator *, char **)) \
    F(49, OrtStatus *, CreateTensorWithDataAsOrtValue, (const OrtMemoryInfo *, void *data, size_t bytes, const int64_t *dims, size_t rank, \
                                                       int dtype, OrtValue **)) \
    F(50, OrtStatus *, IsTensor, (const OrtValue *, int *)) \
    F(51, OrtStatus *, GetTensorMutableData, (OrtValue *, void **)) \
    F(55, OrtStatus *, CastTypeInfoToTensorInfo, (const OrtTypeInfo *, const OrtTensorTypeAndShapeInfo **)) \
    F(60, OrtStatus *, GetTensorElementType, (const OrtTensorTypeAndShapeInfo *, int *)) \
    F(61, OrtStatus *, GetDimensionsCount, (const OrtTensorTypeAndShapeInfo *, size_t *)) \
    F(62, OrtStatus *, GetDimensions, (const OrtTensorTypeAndShapeInfo *, int64_t *, size_t)) \
    F(65, OrtStatus *, GetTensorTypeAndShape, (const OrtValue *, OrtTensorTypeAndShapeInfo **)) \
    F(69, OrtStatus *, CreateCpuMemoryInfo, (int allocator, int memory, OrtMemoryInfo **)) \
    F(76, OrtStatus *, AllocatorFree, (OrtAllocator *, void *)) \
    F(78, OrtStatus *, GetAllocatorWithDefaultOptions, (OrtAllocator **)) \
    F(92, void, ReleaseEnv, (OrtEnv *)) \
    F(93, void, ReleaseStatus, (OrtStatus *)) \
    F(94, void, ReleaseMemoryInfo, (OrtMemoryInfo *)) \
    F(95, void, ReleaseSession, (OrtSession *)) \
    F(96, void, ReleaseValue, (OrtValue *)) \
    F(98, void, ReleaseTypeInfo, (OrtTypeInfo *)) \
    F(99, void, ReleaseTensorTypeAndShapeInfo, (OrtTensorTypeAndShapeInfo *)) \
    F(100, void, ReleaseSessionOptions, (OrtSessionOptions *)) \
    F(119, OrtStatus *, CreateEnvWithGlobalThreadPools, (int level, const char *id, const OrtThreadingOptions *, OrtEnv **)) \
    F(120, OrtStatus *, DisablePerSessionThreads, (OrtSessionOptions *)) \
    F(121, OrtStatus *, CreateThreadingOptions, (OrtThreadingOptions **)) \
    F(122, void, ReleaseThreadingOptions, (OrtThreadingOptions *)) \
    F(130, OrtStatus *, AddSessionConfigEntry, (OrtSessionOptions *, const char *key, const char *value)) \
    F(147, OrtStatus *, SetGlobalIntraOpNumThreads, (OrtThreadingOptions *, int n)) \
    F(149, OrtStatus *, SetGlobalSpinControl, (OrtThreadingOptions *, int on))

typedef struct {
#define ORT_MEMBER(slot, ret, name, params) ret (*name) params;
    ORT_FUNCTIONS(ORT_MEMBER)
#undef ORT_MEMBER
} ort_api;

#endif
