import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.MoreExecutors;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.kinesis.producer.KinesisProducer;
import software.amazon.kinesis.producer.KinesisProducerConfiguration;
import software.amazon.kinesis.producer.UserRecordResult;

/** A file's lines through the Kinesis Producer Library, aggregated. Arguments: port, stream, file. */
public final class KplSender {
    private static final int IN_FLIGHT = 20_000; // lines: bounded, as an agent has to be

    public static void main(String[] arguments) throws Exception {
        KinesisProducerConfiguration configuration = new KinesisProducerConfiguration()
            .setKinesisEndpoint("127.0.0.1")
            .setKinesisPort(Integer.parseInt(arguments[0]))
            .setStsEndpoint("127.0.0.1")
            .setStsPort(Integer.parseInt(arguments[0]))
            .setVerifyCertificate(false)
            .setRegion("eu-west-2")
            .setCredentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("bench", "bench")))
            .setMetricsLevel("none")
            .setRecordTtl(600_000)
            .setRateLimit(Integer.MAX_VALUE);
        KinesisProducer producer = new KinesisProducer(configuration);
        AtomicLong failed = new AtomicLong();
        Semaphore room = new Semaphore(IN_FLIGHT);
        FutureCallback<UserRecordResult> settled = new FutureCallback<>() {
            @Override
            public void onSuccess(UserRecordResult result) {
                room.release();
            }

            @Override
            public void onFailure(Throwable error) {
                if (failed.getAndIncrement() == 0) {
                    System.err.println(error);
                }
                room.release();
            }
        };
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long startNs = system.getProcessCpuTime();
        long lines = 0;
        try (InputStream source = new BufferedInputStream(new FileInputStream(arguments[2]), 1 << 18)) {
            ByteArrayOutputStream line = new ByteArrayOutputStream(1024);
            CRC32 crc = new CRC32();
            for (int next = source.read(); next >= 0; next = source.read()) {
                if (next != '\n') {
                    line.write(next);
                    continue;
                }
                byte[] content = line.toByteArray();
                line.reset();
                crc.reset();
                crc.update(content);
                room.acquire();
                String key = Long.toHexString(crc.getValue());
                Futures.addCallback(
                    producer.addUserRecord(arguments[1], key, ByteBuffer.wrap(content)),
                    settled,
                    MoreExecutors.directExecutor());
                lines++;
            }
        }
        producer.flushSync();
        room.acquire(IN_FLIGHT);
        double peak = peakMib(ProcessHandle.current());
        ProcessHandle[] children = ProcessHandle.current().descendants().toArray(ProcessHandle[]::new);
        for (ProcessHandle child : children) {
            peak += peakMib(child);
        }
        producer.destroy();
        for (ProcessHandle child : children) {
            child.onExit().join();
        }
        System.out.printf(
            "{\"lines\":%d,\"failed\":%d,\"start_s\":%.3f,\"peak_mib\":%.1f}%n",
            lines, failed.get(), startNs / 1e9, peak);
        System.exit(failed.get() == 0 ? 0 : 1);
    }

    private static double peakMib(ProcessHandle process) throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/" + process.pid() + "/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) / 1024.0;
            }
        }
        return 0;
    }
}
