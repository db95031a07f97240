import com.reprezen.kaizen.oasparser.OpenApi3Parser;
import com.reprezen.kaizen.oasparser.model3.OpenApi3;
import java.nio.file.Path;

/** Says whether a file is a valid OpenAPI 3.0 document, as OGC's suites ask it: every item that the parser finds counts. */
class ValidateOpenApi {
  public static void main(String[] arguments) throws Exception {
    OpenApi3 model = (OpenApi3) new OpenApi3Parser().parse(Path.of(arguments[0]).toFile(), true);
    if (model.isValid()) return;
    System.out.println("the API definition is not valid:");
    model.getValidationItems().forEach(item -> System.out.println("  " + item.getSeverity() + ": " + item));
    System.exit(1);
  }
}
