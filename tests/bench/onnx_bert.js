// A forward pass in ONNX Runtime of what torch_bert.py exports. usage: node onnx_bert.js MODEL.onnx ROWS SPAN STEPS [THREADS]
// Prints the median milliseconds. The number of tokens is known when the session is made, as it is to ptm; weights are packed then.
const onnx = require(require.resolve("onnxruntime-node", { paths: [process.env.PEERS || "build/peers"] }));
const [file, rows, span, steps, threads] = [process.argv[2], ...process.argv.slice(3).map(Number)];

async function main() {
    const session = await onnx.InferenceSession.create(file, {
        executionProviders: ["cpu"], graphOptimizationLevel: "all", executionMode: "sequential",
        intraOpNumThreads: threads || 2, interOpNumThreads: 1, enableCpuMemArena: true, enableMemPattern: true,
        freeDimensionOverrides: { B: rows, T: span },
    });
    const ids = BigInt64Array.from({ length: rows * span }, (_, i) => BigInt((i * 7919) % 30522));
    const input = { ids: new onnx.Tensor("int64", ids, [rows, span]) };
    const times = [];
    for (let step = 0; step < steps + 3; step++) {
        const begin = process.hrtime.bigint();
        await session.run(input);
        times.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    const sorted = times.slice(3).sort((a, b) => a - b);
    console.log(sorted[sorted.length >> 1].toFixed(3));
}
main();
