import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import jdk.jshell.DeclarationSnippet;
import jdk.jshell.Diag;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.UnresolvedReferenceException;
import jdk.jshell.execution.LocalExecutionControlProvider;

/** Runs code that comes over the socket on descriptor 3, see package kernel, statement by statement. */
public class Cell {
    private static final List<String> IMPORTS = List.of(
            "java.io.*", "java.math.*", "java.net.*", "java.nio.file.*", "java.util.*", "java.util.concurrent.*",
            "java.util.function.*", "java.util.prefs.*", "java.util.regex.*", "java.util.stream.*");
    // Of what is told of an error. With a name, which Java bounds, it fits a frame of 1 MiB.
    private static final int LIMIT = 60_000;
    private static final int CAUSES = 16; // of an error that are told, itself included

    private static volatile int cell; // the number of the run under way, 0 between runs
    private static volatile boolean stopped;
    private static OutputStream answers;
    private static String main;
    private static String error;
    private static final Map<String, Place> places = new HashMap<>(); // of snippets, by their ids

    private static final Thread driver = Thread.currentThread();
    private static volatile Set<Thread> left = Set.of(); // the other threads that there were when the run under way began
    // Threads that are given work, perhaps by the run under way.
    private static final Set<String> WORKERS = Set.of(
            "java.util.concurrent.ThreadPoolExecutor$Worker", "java.util.concurrent.ForkJoinWorkerThread", "java.util.TimerThread");

    private static Set<Thread> others() {
        ThreadGroup all = driver.getThreadGroup();
        while (all.getParent() != null) {
            all = all.getParent();
        }
        Thread[] threads = new Thread[all.activeCount() + 64];
        Set<Thread> found = new HashSet<>(Arrays.asList(threads).subList(0, all.enumerate(threads)));
        found.remove(driver);
        return found;
    }

    /** Reports whether what runs is of an earlier run. */
    private static boolean isLate() {
        Thread thread = Thread.currentThread();
        if (cell == 0) {
            return thread != driver;
        }
        if (!left.contains(thread)) {
            return false;
        }
        StackTraceElement[] stack = thread.getStackTrace();
        for (int i = Math.max(0, stack.length - 4); i < stack.length; i++) { // the first calls
            if (WORKERS.contains(stack[i].getClassName())) {
                return false;
            }
        }
        return true;
    }

    /** One of both outputs, as it comes. What threads of earlier runs write goes to their late output. */
    private static class Output extends OutputStream {
        private final FileOutputStream to;
        private final String late;

        Output(FileDescriptor fd, String late) {
            this.to = new FileOutputStream(fd);
            this.late = late;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] data, int from, int length) throws IOException {
            if (isLate()) {
                for (int n; length > 0; from += n, length -= n) {
                    n = Math.min(length, LIMIT);
                    tell(late, Arrays.copyOfRange(data, from, from + n));
                }
                return;
            }
            to.write(data, from, length);
        }
    }

    private static PrintStream open(FileDescriptor fd, String late) {
        return new PrintStream(new Output(fd, late), false, StandardCharsets.UTF_8);
    }

    /** Where a snippet begins. */
    private static class Place {
        final int cell;
        final int line;
        final String code;

        Place(int cell, int line, String code) {
            this.cell = cell;
            this.line = line;
            this.code = code;
        }

        /** Names a line of the snippet, the first being 1. */
        String name(int n) {
            return "cell" + cell + ".java:" + (line + n - 1);
        }

        String text(int n) {
            String[] lines = code.split("\n", -1);
            return line + n - 2 < lines.length ? lines[line + n - 2].strip() : "";
        }
    }

    public static void main(String[] args) throws Exception {
        var open = FileDescriptor.class.getDeclaredConstructor(int.class);
        open.setAccessible(true);
        var requests = new DataInputStream(new BufferedInputStream(new FileInputStream(open.newInstance(3))));
        answers = new FileOutputStream(open.newInstance(3));
        System.setOut(open(FileDescriptor.out, "late1"));
        System.setErr(open(FileDescriptor.err, "late2"));
        JShell shell = JShell.builder().executionEngine(new LocalExecutionControlProvider(), null)
                .out(System.out).err(System.err).build();
        sun.misc.Signal.handle(new sun.misc.Signal("INT"), signal -> {
            if (cell != 0) {
                stopped = true;
                stop(shell, cell);
            }
        });
        for (String name : IMPORTS) {
            shell.eval("import " + name + ";");
        }
        long used = 0;
        int count = 0;
        for (String[] line = header(requests); line != null; line = header(requests)) {
            if (!line[0].equals("run")) {
                requests.readNBytes(Integer.parseInt(line[1]));
                continue;
            }
            String code = new String(requests.readNBytes(Integer.parseInt(line[3])), StandardCharsets.UTF_8);
            if (!line[4].equals("-")) {
                requests.readNBytes(Integer.parseInt(line[4]));
            }
            main = null;
            error = null;
            stopped = false;
            left = others();
            cell = ++count;
            run(shell, code);
            if (stopped && error == null) {
                fail("InterruptError", "the code was interrupted", "");
            }
            System.out.flush();
            System.err.flush();
            cell = 0;
            if (main != null) {
                tell("item", "{\"main\":true,\"data\":{\"text/plain\":" + quote(main) + "}}");
            }
            long before = used;
            used = used();
            tell("done", "{\"error\":" + error + ",\"cpu_us\":" + (used - before) + ",\"max_rss\":" + peak() + "}");
            if (line[1].equals("last")) {
                break;
            }
        }
        System.exit(error == null ? 0 : 1);
    }

    /** Stops a run, which may be between two statements, or compile one, when it is told for the first time. */
    private static void stop(JShell shell, int run) {
        new Thread(() -> {
            while (cell == run) {
                shell.stop();
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }).start();
    }

    /** The processor time of this process and of those that it waited for, in microseconds. See proc(5) on stat. */
    private static long used() throws IOException {
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        long ticks = 0;
        for (int i = 11; i < 15; i++) {
            ticks += Long.parseLong(fields[i]);
        }
        return ticks * 10_000;
    }

    /** The most memory that this process has had, in bytes. See proc(5) on status. */
    private static long peak() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
            }
        }
        return 0;
    }

    private static String[] header(DataInputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c >= 0; c = in.read()) {
            if (c == '\n') {
                return line.toString().split(" ");
            }
            line.append((char) c);
        }
        return null;
    }

    private static void tell(String kind, String body) throws IOException {
        tell(kind, body.getBytes(StandardCharsets.UTF_8));
    }

    private static synchronized void tell(String kind, byte[] data) throws IOException {
        var frame = new ByteArrayOutputStream();
        frame.writeBytes((kind + " " + data.length + "\n").getBytes(StandardCharsets.UTF_8));
        frame.writeBytes(data);
        answers.write(frame.toByteArray());
    }

    private static void run(JShell shell, String code) {
        SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
        String rest = code;
        while (!rest.isBlank() && error == null && !stopped) {
            rest = rest.stripLeading();
            var place = new Place(cell, 1 + newlines(code.substring(0, code.length() - rest.length())), code);
            var part = analysis.analyzeCompletion(rest);
            String source = part.source() == null ? rest : part.source();
            rest = part.source() == null ? "" : part.remaining();
            main = null;
            for (SnippetEvent event : shell.eval(source)) {
                if (event.causeSnippet() == null) {
                    places.put(event.snippet().id(), place);
                    conclude(shell, event);
                }
            }
        }
    }

    private static void conclude(JShell shell, SnippetEvent event) {
        if (event.status() == Snippet.Status.REJECTED) {
            StringBuilder text = new StringBuilder();
            String source = event.snippet().source();
            Place place = places.get(event.snippet().id());
            String first = null;
            for (Diag d : (Iterable<Diag>) shell.diagnostics(event.snippet()).filter(Diag::isError)::iterator) {
                String message = d.getMessage(Locale.ROOT);
                first = first == null ? message : first;
                int from = Math.max(0, Math.min((int) d.getPosition(), source.length()));
                int line = 1 + newlines(source.substring(0, from));
                text.append(place.name(line)).append(": error: ").append(message).append("\n    ").append(place.text(line)).append('\n');
            }
            fail("CompileError", first == null ? "rejected" : first, text.toString());
        } else if (event.exception() instanceof EvalException) {
            EvalException e = (EvalException) event.exception();
            StringBuilder text = new StringBuilder();
            List<String> outer = List.of();
            Throwable cause = e;
            for (int i = 0; i < CAUSES && cause instanceof EvalException; i++) {
                outer = trace((EvalException) cause, i == 0 ? "" : "Caused by: ", outer, text);
                cause = cause.getCause();
            }
            fail(e.getExceptionClassName(), String.valueOf(e.getMessage()), text.toString());
        } else if (event.exception() instanceof UnresolvedReferenceException) {
            DeclarationSnippet snippet = ((UnresolvedReferenceException) event.exception()).getSnippet();
            String message = snippet.name() + " needs what is not declared: "
                    + shell.unresolvedDependencies(snippet).collect(Collectors.joining(", "));
            StringBuilder text = new StringBuilder("UnresolvedReferenceException: " + message + '\n');
            Place place = places.get(snippet.id());
            if (place != null) {
                text.append("\tat ").append(place.name(1)).append("\n\t    ").append(place.text(1)).append('\n');
            }
            fail("UnresolvedReferenceException", message, text.toString());
        } else if (event.exception() != null) {
            fail(event.exception().getClass().getSimpleName(), String.valueOf(event.exception().getMessage()), "");
        } else if (event.snippet().kind() == Snippet.Kind.EXPRESSION || event.snippet().subKind() == Snippet.SubKind.TEMP_VAR_EXPRESSION_SUBKIND) {
            main = event.value() == null || event.value().isEmpty() ? null : event.value();
        }
    }

    /** Adds an exception, with its frames but for those that it has in common with the one around it, and returns all. */
    private static List<String> trace(EvalException e, String prefix, List<String> outer, StringBuilder text) {
        List<String> frames = new ArrayList<>();
        for (StackTraceElement frame : e.getStackTrace()) {
            if (frame.getClassName().startsWith("jdk.") || frame.getClassName().startsWith("java.base/jdk.")) {
                break;
            }
            frames.add(describe(frame));
        }
        int common = 0;
        while (common < Math.min(frames.size(), outer.size())
                && frames.get(frames.size() - 1 - common).equals(outer.get(outer.size() - 1 - common))) {
            common++;
        }
        text.append(prefix).append(e.getExceptionClassName()).append(": ").append(e.getMessage()).append('\n');
        for (String frame : frames.subList(0, frames.size() - common)) {
            text.append("\tat ").append(frame).append('\n');
        }
        if (common > 0) {
            text.append("\t... ").append(common).append(" more\n");
        }
        return frames;
    }

    /** A frame, with its line of code if it is one of a snippet, whose file is named #id. */
    private static String describe(StackTraceElement frame) {
        String file = String.valueOf(frame.getFileName());
        Place place = file.startsWith("#") ? places.get(file.substring(1)) : null;
        if (place == null || frame.getLineNumber() < 1) {
            return frame.toString();
        }
        String method = frame.getClassName().isEmpty() ? frame.getMethodName() : frame.getClassName() + "." + frame.getMethodName();
        String name = place.name(frame.getLineNumber());
        return (method.isEmpty() ? name : method + "(" + name + ")") + "\n\t    " + place.text(frame.getLineNumber());
    }

    private static int newlines(String s) {
        return (int) s.chars().filter(c -> c == '\n').count();
    }

    private static void fail(String name, String value, String traceback) {
        System.out.flush();
        System.err.print(traceback.isEmpty() ? name + ": " + value + '\n' : traceback);
        error = "{\"name\":" + quote(name) + ",\"value\":" + quote(clip(value)) + ",\"traceback\":" + quote(clip(traceback)) + "}";
    }

    private static String clip(String s) {
        return s.length() <= LIMIT ? s : s.substring(s.length() - LIMIT);
    }

    private static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') {
                b.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
