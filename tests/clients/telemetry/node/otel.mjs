// The OpenTelemetry SDK of Node: two spans, one failed, by OTLP/HTTP protobuf with gzip.
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const exporter = new OTLPTraceExporter({
  url: `${process.env.FAULTLINE_URL}/v1/traces`,
  headers: { authorization: `Bearer ${process.env.INGEST_TOKEN}` },
  compression: "gzip",
});
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "node-shop", "service.version": "1.3.2" }),
  spanProcessors: [new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("clients");
const root = tracer.startSpan("GET /cart", { kind: SpanKind.SERVER });
const call = tracer.startSpan("charge card", { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), root));
call.recordException(new Error("card refused"));
call.setStatus({ code: SpanStatusCode.ERROR, message: "card refused" });
call.end();
root.end();
await provider.shutdown();
console.log([root.spanContext().traceId, "node-shop", "card refused"].join("\t"));
