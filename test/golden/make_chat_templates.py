"""Makes test/fixtures/chat-templates/golden.json: what transformers' apply_chat_template gives for the templates beside it.

usage: python make_chat_templates.py     (from anywhere, after make_tokenizers.py)
needs: requirements.txt. The templates are written for these tests and behave as the published ones do in what a text conversation meets.
"""
import json
from pathlib import Path

import transformers
from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerFast

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
FOLDER = FIXTURES / "chat-templates"
# template -> tokenizer, its start and end token
MODELS = {
    "gemma2": ("gemma", "<bos>", "<eos>"),
    "gemma3": ("gemma", "<bos>", "<eos>"),
    "llama2": ("llama2", "<s>", "</s>"),
    "llama3": ("llama3", "<|begin_of_text|>", "<|eot_id|>"),
    "mistral_v1": ("llama2", "<s>", "</s>"),
    "mistral_v3": ("mistral", "<s>", "</s>"),
    "qwen2": ("qwen", None, "<|im_end|>"),
    "qwen3": ("qwen", None, "<|im_end|>"),
}
VARIABLES = {"llama3": [{"date_string": "26 Jul 2024"}], "qwen3": [{}, {"enable_thinking": False}, {"enable_thinking": True}]}


def conversation(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CONVERSATIONS = [
    conversation(("user", "Why is the sky blue?")),
    conversation(("system", "Be brief."), ("user", "hi")),
    conversation(("user", "a"), ("assistant", "b"), ("user", "c")),
    conversation(("system", " Be  brief.\n"), ("user", "\n  hi "), ("assistant", " yes \n"), ("user", "na\u00efve \u65e5\u672c")),
    conversation(("user", "2+2?"), ("assistant", "<think>\nfour, surely\n</think>\n\nIt is 4."), ("user", "sure?")),
    conversation(("user", "2+2?"), ("assistant", "<think>\nfour\n</think>\n\nIt is")),
    conversation(("user", "{{ 1 + 1 }} {% raw %} <bos> <|im_end|> </s>")),
    conversation(("user", "a"), ("user", "b")),
    conversation(("assistant", "hello"), ("user", "hi")),
    conversation(("user", "a"), ("system", "late"), ("user", "b")),
]


def case(tokenizer, messages, add_generation_prompt, variables):
    given = {"messages": messages, "add_generation_prompt": add_generation_prompt, "variables": variables}
    options = {"add_generation_prompt": add_generation_prompt, **variables}
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except TemplateError as error:
        return {**given, "refusal": str(error)}
    return {**given, "text": text, "ids": tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)}


def main():
    models = []
    for name, (tokenizer, bos, eos) in MODELS.items():
        fast = PreTrainedTokenizerFast(tokenizer_file=str(FIXTURES / "tokenizers" / f"{tokenizer}.json"), bos_token=bos, eos_token=eos,
                                       chat_template=(FOLDER / f"{name}.jinja").read_text())
        cases = [case(fast, messages, prompt, variables) for messages in CONVERSATIONS for prompt in (True, False)
                 for variables in VARIABLES.get(name, [{}])]
        models.append({"template": name, "tokenizer": tokenizer, "bos_token": bos, "eos_token": eos, "cases": cases})
        print(name, len(cases), "cases,", sum("refusal" in c for c in cases), "refused")
    head = json.dumps({"made_by": "test/golden/make_chat_templates.py", "transformers": transformers.__version__})[:-1]
    lines = ",\n ".join(json.dumps(model) for model in models)
    (FOLDER / "golden.json").write_text(f'{head},\n "models": [\n {lines}\n]}}\n')


main()
