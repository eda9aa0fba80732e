import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import jdk.jshell.Diag;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.execution.LocalExecutionControlProvider;

/** Runs the code on its standard input, statement by statement, and reports its result on descriptor 4. */
public class Cell {
    private static final List<String> IMPORTS = List.of(
            "java.io.*", "java.math.*", "java.net.*", "java.nio.file.*", "java.util.*", "java.util.concurrent.*",
            "java.util.function.*", "java.util.prefs.*", "java.util.regex.*", "java.util.stream.*");

    private static String main;
    private static String error;

    public static void main(String[] args) throws Exception {
        String code = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        var open = FileDescriptor.class.getDeclaredConstructor(int.class);
        open.setAccessible(true);
        try (OutputStream report = new FileOutputStream(open.newInstance(4))) {
            try (JShell shell = JShell.builder().executionEngine(new LocalExecutionControlProvider(), null)
                    .out(System.out).err(System.err).build()) {
                for (String name : IMPORTS) {
                    shell.eval("import " + name + ";");
                }
                run(shell, code);
            }
            System.out.flush();
            System.err.flush();
            String items = main == null ? "" : "{\"main\":true,\"data\":{\"text/plain\":" + quote(main) + "}}";
            report.write(("{\"items\":[" + items + "],\"error\":" + error + "}").getBytes(StandardCharsets.UTF_8));
        }
        System.exit(error == null ? 0 : 1);
    }

    private static void run(JShell shell, String code) {
        SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
        String rest = code;
        while (!rest.isBlank() && error == null) {
            var part = analysis.analyzeCompletion(rest);
            String source = part.source() == null ? rest : part.source();
            rest = part.source() == null ? "" : part.remaining();
            if (source.isBlank()) {
                continue;
            }
            main = null;
            for (SnippetEvent event : shell.eval(source)) {
                if (event.causeSnippet() == null) {
                    conclude(shell, event);
                }
            }
        }
    }

    private static void conclude(JShell shell, SnippetEvent event) {
        if (event.status() == Snippet.Status.REJECTED) {
            StringBuilder text = new StringBuilder();
            String source = event.snippet().source();
            shell.diagnostics(event.snippet()).filter(Diag::isError).forEach(d -> {
                text.append("error: ").append(d.getMessage(Locale.ROOT)).append('\n');
                int from = Math.max(0, Math.min((int) d.getPosition(), source.length()));
                int start = source.lastIndexOf('\n', Math.max(0, from - 1)) + 1;
                int end = source.indexOf('\n', from);
                text.append("  ").append(source, Math.min(start, from), end < 0 ? source.length() : end).append('\n');
            });
            String first = text.indexOf("\n") < 0 ? "rejected" : text.substring("error: ".length(), text.indexOf("\n"));
            fail("CompileError", first, text.toString());
        } else if (event.exception() instanceof EvalException e) {
            StringBuilder text = new StringBuilder(e.getExceptionClassName() + ": " + e.getMessage() + '\n');
            for (StackTraceElement frame : e.getStackTrace()) {
                if (frame.getClassName().startsWith("jdk.") || frame.getClassName().startsWith("java.base/jdk.")) {
                    break;
                }
                text.append("\tat ").append(frame).append('\n');
            }
            fail(e.getExceptionClassName(), String.valueOf(e.getMessage()), text.toString());
        } else if (event.exception() != null) {
            fail(event.exception().getClass().getSimpleName(), String.valueOf(event.exception().getMessage()), "");
        } else if (event.snippet().kind() == Snippet.Kind.EXPRESSION || event.snippet().subKind() == Snippet.SubKind.TEMP_VAR_EXPRESSION_SUBKIND) {
            main = event.value() == null || event.value().isEmpty() ? null : event.value();
        }
    }

    private static void fail(String name, String value, String traceback) {
        System.out.flush();
        System.err.print(traceback.isEmpty() ? name + ": " + value + '\n' : traceback);
        error = "{\"name\":" + quote(name) + ",\"value\":" + quote(value) + ",\"traceback\":" + quote(traceback) + "}";
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
