"""A chat about pictures with the OpenAI SDK: progress comes as words, the picture as a link."""

from openai import OpenAI

client, messages = OpenAI(), []
for said in ("a red circle above a blue square", "make the circle green"):
    messages.append({"role": "user", "content": said})
    wishes = {"flow": "mini-quick", "critic": False}
    stream = client.chat.completions.create(model="imagewright", messages=messages, stream=True, extra_body=wishes)
    answer = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    messages.append({"role": "assistant", "content": answer})
    print(f"> {said}\n{answer}\n")
