package roundtrip;

import convo.ApiClient;
import convo.auth.HttpBearerAuth;
import convo.ApiException;
import convo.api.KnowledgeApi;
import convo.api.LeadsApi;
import convo.model.KnowledgeJob;
import convo.model.Lead;
import convo.model.LeadCreate;
import java.io.File;
import java.nio.file.Files;
import java.util.List;
import convo.model.LeadFields;
import java.util.UUID;

/** Lists, creates, misses and uploads something by the client that openapi-generator has made. */
public final class RoundTrip {
  public static void main(String[] args) throws Exception {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv("CONVO_BASE_URL"));
    ((HttpBearerAuth) client.getAuthentication("bearerAuth")).setBearerToken(System.getenv("CONVO_TOKEN"));
    LeadsApi leads = new LeadsApi(client);
    List<Lead> listed = leads.listLeads(null, null, null, null);
    Lead created = leads.createLead(new LeadCreate().fields(new LeadFields().name("Java")), null);
    int missing = 0;
    try {
      leads.getLead(UUID.randomUUID());
    } catch (ApiException e) {
      missing = e.getCode();
    }
    if (missing != 404) throw new IllegalStateException("a 404 was expected, not " + missing);
    File file = File.createTempFile("java", ".pdf");
    Files.writeString(file.toPath(), "%PDF-1.7\n%%EOF\n");
    KnowledgeJob job = new KnowledgeApi(client).uploadKnowledge(file, "java.pdf", null);
    System.out.printf("Java, openapi-generator: listed %d, created %s, 404, uploaded %s%n", listed.size(), created.getId(), job.getFileName());
  }
}
