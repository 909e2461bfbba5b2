// SPDX-License-Identifier: Apache-2.0
// HTML and plain-text documents: what a reader sees becomes sections, by title and label; broken
// and hostile markup costs neither text nor time.
#include "harness.h"

#include "clinic/record/episode_document.h"

#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct title_map *titles(void) {
    static struct title_map *map;
    if (!map) map = title_map_open(NULL, 0, NULL);
    return map;
}

// The text of a section of a document; NULL: refused, or no such section. Valid until the next
// call.
static const char *section_bytes(const char *content, size_t bytes, const char *format,
                                 const char *title, const char *section) {
    static json_t *document;
    json_decref(document);
    struct clinic_error error = {0};
    if (!document_from_text(content, bytes, format, title, titles(), &document, &error)) {
        printf("    %s\n", error.message);
        return NULL;
    }
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(document, "sections"), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "name")), section) == 0)
            return json_string_value(json_object_get(row, "text"));
    }
    return NULL;
}

static const char *section_of(const char *content, const char *format, const char *title,
                              const char *section) {
    return section_bytes(content, strlen(content), format, title, section);
}

static bool is(const char *text, const char *expected) {
    bool is_same = text && strcmp(text, expected) == 0;
    if (!is_same) printf("    \"%s\" is not \"%s\"\n", text ? text : "(null)", expected);
    return is_same;
}

static enum test_result test_admission(void) {
    static const char html[] =
        "<!DOCTYPE html><html><head><title>x</title><style>p{color:red}</style></head><body>"
        "<h1>入院记录</h1><div>姓名：张示安&nbsp;&nbsp;性别：男</div>"
        "<div><span class='label' "
        "code=\"DE04.01.119.00\">主　诉：</span><span>发热<b>5</b>天。</span></div>"
        "<p><strong>现病史</"
        "strong>：患者5天前受凉&amp;发热，体温&gt;39&#8451;，白细胞15.6×10<sup>9</sup>/L。"
        "<br>一般情况：精神可。<script>alert('现病史：')</script></p>"
        "<table><tr><td>既往史</td><td>糖尿病8年。</td></tr><tr><td>【个人史】</"
        "td><td>吸烟30年<del>饮酒</del>。"
        "</td></tr></table><p>一、体格检查</p><p>体温38.9℃</p><!-- 家族史：无 -->"
        "<p>初步诊断：1. 社区获得性肺炎</p><select><option>有</option><option "
        "selected>无</option></select>"
        "<input type=hidden value=a><input value='右肺'><p>医师签名：周示医</p></body></html>";
    const char *t = "入院记录";
    CHECK(is(section_of(html, "html", t, "一般情况"), "姓名：张示安 性别：男"));
    CHECK(is(section_of(html, "html", t, "主诉"), "发热5天。"));
    CHECK(is(section_of(html, "html", t, "现病史"),
             "患者5天前受凉&发热，体温>39℃，白细胞15.6×10⁹/L。\n一般情况：精神可。"));
    CHECK(is(section_of(html, "html", t, "既往史"), "糖尿病8年。"));
    CHECK(is(section_of(html, "html", t, "个人史"), "吸烟30年。"));
    CHECK(is(section_of(html, "html", t, "体格检查"), "体温38.9℃"));
    CHECK(is(section_of(html, "html", t, "初步诊断"), "1. 社区获得性肺炎\n无右肺"));
    CHECK(is(section_of(html, "html", t, "签名"), "周示医"));
    CHECK(section_of(html, "html", t, "家族史") == NULL);
    return TEST_PASS;
}

// Titles of hospitals, and what they are.
static enum test_result test_titles(void) {
    static const struct {
        const char *title, *c_code, *type;
    } rows[] = {
        {"乳腺中心术前小结", "C0046", "preop_summary"},
        {"入 院 记 录", "C0034", "admission_note"},
        {"24小时内入出院记录", "C0035", "day_stay_note"},
        {"出院小结（患者联）", "C0053", "discharge_summary"},
        {"出院记录", "C0049", "discharge_record"},
        {"死亡病例讨论记录", "C0051", "death_discussion"},
        {"PICC穿刺置管知情同意书", "C0029", "treatment_consent"},
        {"手术知情同意书", "C0026", "operation_consent"},
        {"术后第1天病程记录", "C0038", "progress_note"},
        {"术后首次病程记录", "C0048", "post_op_note"},
        {"冠状动脉介入手术记录", "C0009", "operation_record"},
        {"科主任查房记录", "C0039", "ward_round"},
        {"护理宣教单", "X-OTHER", "other"},
        {"<script>", "X-OTHER", "other"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *c_code, *type;
        title_map_find(titles(), rows[i].title, &c_code, &type);
        CHECK_MESSAGE(strcmp(c_code, rows[i].c_code) == 0 && strcmp(type, rows[i].type) == 0,
                      "%s: %s %s", rows[i].title, c_code, type);
    }
    return TEST_PASS;
}

// The title of every document of the bundled episodes says what the document is.
static enum test_result test_known(void) {
    char pattern[1024];
    glob_t found;
    CHECK(harness_repo_path("examples/episodes", pattern, sizeof pattern));
    size_t n = strlen(pattern);
    snprintf(pattern + n, sizeof pattern - n, "/*/episode.json");
    CHECK(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc >= 12);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        json_t *root = json_load_file(found.gl_pathv[i], 0, NULL), *row;
        size_t k;
        json_array_foreach(json_object_get(root, "docs"), k, row) {
            const char *title = json_string_value(json_object_get(row, "local_title"));
            const char *c_code, *type;
            title_map_find(titles(), title, &c_code, &type);
            CHECK_MESSAGE(strcmp(c_code, json_string_value(json_object_get(row, "c_code"))) == 0 &&
                              strcmp(type, json_string_value(json_object_get(row, "type"))) == 0,
                          "%s: %s %s", title, c_code, type);
        }
        json_decref(root);
    }
    globfree(&found);
    return TEST_PASS;
}

// Each document of the bundled episodes is known by its title, and its plain text comes back in the
// same sections.
static int check_example(const char *relative) {
    char path[1024];
    if (!harness_repo_path(relative, path, sizeof path)) return 0;
    json_t *root = json_load_file(path, 0, NULL), *row;
    size_t i, k;
    int n = 0;
    json_array_foreach(json_object_get(root, "docs"), i, row) {
        const char *title = json_string_value(json_object_get(row, "local_title"));
        json_t *sections = json_object_get(row, "sections"), *section, *document;
        json_t *content = json_string("");
        json_array_foreach(sections, k, section) {
            json_t *longer = json_sprintf("%s【%s】\n%s\n", json_string_value(content),
                                          json_string_value(json_object_get(section, "name")),
                                          json_string_value(json_object_get(section, "text")));
            json_decref(content);
            content = longer;
        }
        struct clinic_error error = {0};
        bool is_read = document_from_text(json_string_value(content), json_string_length(content),
                                          "text", title, titles(), &document, &error);
        // What is headed 一般项目 in a 手术记录 has lines that are sections of their own; so has
        // 术前小结.
        bool is_operation = title && (strstr(title, "手术记录") || strstr(title, "术前小结"));
        bool is_same =
            is_read &&
            json_equal(json_object_get(document, "c_code"), json_object_get(row, "c_code")) &&
            (is_operation || json_equal(json_object_get(document, "sections"), sections));
        if (!is_same) printf("    %s %s\n", relative, title);
        n = is_same ? n + 1 : -10000;
        json_decref(document);
        json_decref(content);
    }
    json_decref(root);
    return n;
}

static enum test_result test_examples(void) {
    CHECK(check_example("examples/episodes/01-pneumonia/episode.json") > 10);
    CHECK(check_example("examples/episodes/02-stemi-pci/episode.json") > 10);
    CHECK(check_example("examples/episodes/04-hip-fracture/episode.json") > 10);
    CHECK(check_example("examples/episodes/03-stroke/episode.json") > 10);
    CHECK(check_example("examples/episodes/07-child-pneumonia/episode.json") > 5);
    return TEST_PASS;
}

static enum test_result test_plain(void) {
    static const char one_line[] =
        "主诉：腹痛1天。现病史：1天前腹痛，一般情况：可。既往史：体健。 初步诊断：胆囊结石";
    const char *t = "入院记录";
    CHECK(is(section_of(one_line, "text", t, "主诉"), "腹痛1天。"));
    CHECK(is(section_of(one_line, "text", t, "现病史"), "1天前腹痛，一般情况：可。"));
    CHECK(is(section_of(one_line, "text", t, "初步诊断"), "胆囊结石"));
    // A note that names parts of another document stays in one piece.
    static const char note[] =
        "\xEF\xBB\xBF日常病程记录\r\n患者诉痛。辅助检查：白细胞<4.0，诊断明确。\r\n\r\n继续治疗";
    CHECK(is(section_of(note, "text", "日常病程记录", "病程"),
             "患者诉痛。辅助检查：白细胞<4.0，诊断明确。\n继续治疗"));
    CHECK(is(section_of("1\xE2\x80\xAE"
                        "2\x1b\t3\r\n4",
                        "text", "其他", "正文"),
             "12\t3\n4"));
    CHECK(is(section_of("1\r2\r\r\n3\r", "text", "其他", "正文"), "1\n2\n3"));
    // The same label twice is one section, and a label without text none.
    static const char twice[] = "会诊意见：一\n申请理由：\n会诊意见：二";
    CHECK(is(section_of(twice, "text", "会诊记录", "会诊意见"), "一\n二"));
    CHECK(section_of(twice, "text", "会诊记录", "申请理由") == NULL);
    return TEST_PASS;
}

static const char *body_of(const char *html) {
    return section_of(html, "html", "其他", "正文");
}

static enum test_result test_entities(void) {
    CHECK(is(body_of("a&lt;b&gt;&amp;amp;&quot;&#39;&#x4E2D;&nbsp;&nbsp;c"), "a<b>&amp;\"'中 c"));
    CHECK(is(body_of("37.5&#8451; &plusmn;2 &micro;g &ge;3 &unknown; &; &# &#x; & x"),
             "37.5℃ ±2 µg ≥3 &unknown; &; &# &#x; & x"));
    CHECK(is(body_of("x&#0;y&#xD800;z&#1114112;&#7;"), "x\xEF\xBF\xBDy\xEF\xBF\xBDz"
                                                       "\xEF\xBF\xBD\xEF\xBF\xBD"));
    CHECK(is(body_of("1&#x202E;2&#x200B;3\xE2\x80\xAE"
                     "4"),
             "1234")); // direction and width
    CHECK(is(body_of("&lt;script&gt;alert(1)&lt;/script&gt;"), "<script>alert(1)</script>"));
    CHECK(is(body_of("10<sup>9</sup>/L Ca<sup>2+</sup> x<sup>-1</sup> CO<sub>2</sub>"),
             "10⁹/L Ca²⁺ x⁻¹ CO2"));
    return TEST_PASS;
}

static enum test_result test_broken(void) {
    CHECK(is(body_of("a<p>b<div>c<span>d"), "a\nb\ncd"));
    CHECK(is(body_of("白细胞<4.0，血小板 < 100，a<b"), "白细胞<4.0，血小板 < 100，a<b"));
    CHECK(is(body_of("a<!-- b > c -->d<!x>e<?y?>f<![CDATA[g]]>h"), "adefh"));
    CHECK(is(body_of("a<!-- never closed"), "a"));
    CHECK(is(body_of("a<!-->b<!--->c<!-- x --!>d<!-- - -- > -->e"), "abcde"));
    CHECK(is(body_of("a<script>b<p>c"), "a"));
    CHECK(is(body_of("a<del>b</del>c<del>d"), "acd")); // no end: the text is kept
    CHECK(is(body_of("<p title=\"a>b\" x='</p>'>c</p>"), "c"));
    CHECK(is(body_of("<p title=\"a>b<br>c"), "b\nc")); // a quote that never ends
    CHECK(is(body_of("<STYLE>x</STYLE ><Script a>y</SCRIPT\n>z"), "z"));
    CHECK(is(body_of("<scr<script>x</script>ipt>y"), "xipt>y"));
    CHECK(is(body_of("</p></span>a</>b<>c"), "a</>b<>c"));
    CHECK(is(body_of("<img src=x onerror=alert(1)>a<svg><p>b</svg>c"), "ac"));
    return TEST_PASS;
}

// What a form shows: typed lines, and which boxes are ticked.
static enum test_result test_forms(void) {
    CHECK(is(body_of("咳嗽：<input type=checkbox checked>有<input type='checkbox'>无"),
             "咳嗽：☑有☐无"));
    CHECK(is(body_of("<input type=RADIO>男<input type=radio checked=''>女"), "☐男☑女"));
    CHECK(is(body_of("<input type=number value=37.5>℃<input type=date value=2025-01-02>"
                     "<input type=password value=p><input type=submit value=s>"),
             "37.5℃2025-01-02"));
    return TEST_PASS;
}

// Hostile sizes: each is read in one go.
static char *repeat(const char *text, size_t n) {
    size_t length = strlen(text);
    char *whole = malloc(length * n + 16);
    for (size_t i = 0; whole && i < n; i++)
        memcpy(whole + i * length, text, length);
    if (whole) whole[length * n] = '\0';
    return whole;
}

static enum test_result test_hostile(void) {
    static const struct {
        const char *piece;
        size_t n;
    } rows[] = {{"<div>", 200000},      {"<del>", 200000},   {"<a b=\"", 200000},
                {"<a b=\">\"", 200000}, {"<a b='", 200000},  {"<!--", 200000},
                {"<option>", 200000},   {"&#x4e2d", 200000}, {"主 ", 200000},
                {"　", 200000},         {"。主诉", 100000},  {"【", 200000},
                {"<s></st", 200000},    {"<a", 200000},      {"<input type=text value=", 100000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = repeat(rows[i].piece, rows[i].n);
        CHECK(text);
        memcpy(text + strlen(text), "末", 4);
        json_t *document;
        for (int k = 0; k < 2; k++) {
            struct clinic_error error = {0};
            bool is_read = document_from_text(text, strlen(text), k ? "html" : "text", "入院记录",
                                              titles(), &document, &error);
            CHECK(is_read ? document != NULL : error.failure == CLINIC_BAD_INPUT);
            json_decref(document);
        }
        free(text);
    }
    return TEST_PASS;
}

static bool refuses(const char *content, size_t bytes, const char *format, const char *title,
                    const char *part) {
    struct clinic_error error = {0};
    json_t *document;
    bool is_read = document_from_text(content, bytes, format, title, titles(), &document, &error);
    json_decref(document);
    return !is_read && error.failure == CLINIC_BAD_INPUT && strstr(error.message, part);
}

static enum test_result test_refusals(void) {
    CHECK(refuses("a\0b", 3, "html", "t", "NUL"));
    CHECK(refuses("\xc4\xe3", 2, "text", "t", "GBK"));
    CHECK(refuses("<p></p>", 7, "html", "t", "no text"));
    CHECK(refuses("", 0, "text", "t", "no text"));
    CHECK(refuses("a", 1, "rtf", "t", "format"));
    CHECK(refuses("a", 1, "text", "", "local_title"));
    char *large = repeat("a", (4 << 20) + 1);
    CHECK(large && refuses(large, (4 << 20) + 1, "text", "t", "4 MiB"));
    CHECK(refuses(large, (1 << 20) + 1, "text", "t", "1 MiB"));
    free(large);
    return TEST_PASS;
}

// A hospital's own map stands before the built-in one, or in its place with "other".
static enum test_result test_own_map(void) {
    static const char own[] =
        "{\"format\":\"xinglin-document-titles\",\"version\":1,\"types\":[{\"c_code\":\"C0038\","
        "\"type\":\"progress_note\",\"body\":\"正文\",\"titles\":[\"查房*甲\"],\"sections\":[{"
        "\"name\":"
        "\"病程\",\"labels\":[\"经过\"]}]}]}";
    struct clinic_error error = {0};
    struct title_map *map = title_map_open(own, strlen(own), &error);
    const char *c_code, *type;
    CHECK_MESSAGE(map, "%s", error.message);
    title_map_find(map, "查房记录 甲", &c_code, &type);
    CHECK(strcmp(c_code, "C0038") == 0);
    title_map_find(map, "查房记录乙", &c_code, &type);
    CHECK(strcmp(c_code, "C0039") == 0);
    title_map_close(map);
    static const char titles_empty[] =
        "{\"format\":\"xinglin-document-titles\",\"version\":1,\"types\":[{\"c_code\":\"C1\","
        "\"type\":\"a\",\"body\":\"b\",\"titles\":[\"\"]}]}";
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"format\":\"xinglin-document-titles\",\"version\":1}",
        "{\"format\":\"xinglin-document-titles\",\"version\":1,\"types\":[{}]}",
        titles_empty,
        "{\"format\":\"xinglin-document-titles\",\"version\":1,\"types\":[],\"other\":{}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (struct clinic_error){0};
        CHECK(!title_map_open(wrong[i], strlen(wrong[i]), &error) && error.message[0]);
    }
    return TEST_PASS;
}

int main(int argc, char **argv) {
    static const struct test tests[] = {
        {"admission", "an admission note in HTML", test_admission},
        {"titles", "local titles", test_titles},
        {"known", "titles of the bundled episodes", test_known},
        {"examples", "documents of the bundled episodes", test_examples},
        {"plain", "labels in plain text", test_plain},
        {"entities", "entities and superscript", test_entities},
        {"broken", "markup that is wrong", test_broken},
        {"forms", "fields and boxes", test_forms},
        {"hostile", "markup that is meant to hurt", test_hostile},
        {"refusals", "encodings, sizes, formats", test_refusals},
        {"own_map", "maps of a hospital", test_own_map},
    };
    int status = harness_main("episode_document", tests, sizeof tests / sizeof *tests, argc, argv);
    title_map_close(titles());
    return status;
}
