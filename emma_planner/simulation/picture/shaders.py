"""GLSL programs of the camera's picture.

Few operations a pixel, since a CPU runs them: light is computed at vertices, fog at vertices of
models and at pixels of the ground. Colours are as displayed, without gamma.
"""

from __future__ import annotations

_HEAD = """#version 130
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform mat4 p3d_ModelViewMatrix;
uniform mat4 p3d_ModelMatrix;
"""

_FOG = """
uniform vec4 fog;  // red, green, blue, extinction [1/m]
vec3 fogged(vec3 colour, float distance_m) {
    return mix(fog.rgb, colour, exp(-fog.a * distance_m));
}
"""

MODEL_VERTEX = (
    _HEAD
    + _FOG
    + """
in vec4 p3d_Vertex;
in vec3 p3d_Normal;
in vec4 p3d_Color;  // alpha: the finish
uniform vec4 p3d_ColorScale;
uniform vec3 sun_towards;
uniform vec3 sun;
uniform vec3 sky_light;
uniform vec3 ground_light;
out vec3 colour;
void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex;
    vec3 normal = normalize(mat3(p3d_ModelMatrix) * p3d_Normal);
    vec3 tint = p3d_Color.a > 0.75 ? vec3(1.0) : p3d_ColorScale.rgb;
    vec3 ambient = mix(ground_light, sky_light, 0.5 + 0.5 * normal.z);
    vec3 light = ambient + sun * max(dot(normal, sun_towards), 0.0);
    vec3 lit = p3d_Color.a < 0.25 ? p3d_Color.rgb : p3d_Color.rgb * tint * light;
    colour = fogged(lit, length((p3d_ModelViewMatrix * p3d_Vertex).xyz));
}
"""
)
MODEL_FRAGMENT = """#version 130
in vec3 colour;
out vec4 pixel;
void main() {
    pixel = vec4(colour, 1.0);
}
"""

GROUND_VERTEX = (
    _HEAD
    + """
in vec4 p3d_Vertex;
in vec4 p3d_Color;
uniform vec3 ground_light_up;
uniform float texture_m;
out vec3 colour;
out vec2 place;
out vec3 from_camera;
void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex;
    colour = p3d_Color.rgb * ground_light_up;
    place = (p3d_ModelMatrix * p3d_Vertex).xy / texture_m;
    from_camera = (p3d_ModelViewMatrix * p3d_Vertex).xyz;
}
"""
)
GROUND_FRAGMENT = (
    """#version 130
"""
    + _FOG
    + """
in vec3 colour;
in vec2 place;
in vec3 from_camera;
uniform sampler2D p3d_Texture0;
out vec4 pixel;
void main() {
    pixel = vec4(fogged(colour * texture(p3d_Texture0, place).rgb, length(from_camera)), 1.0);
}
"""
)

SHADOW_VERTEX = (
    _HEAD
    + """
in vec4 p3d_Vertex;
uniform vec4 fog;
uniform float darkness;
out vec2 place;
out float strength;
void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex;
    place = p3d_Vertex.xy + 0.5;
    strength = darkness * exp(-fog.a * length((p3d_ModelViewMatrix * p3d_Vertex).xyz));
}
"""
)
SHADOW_FRAGMENT = """#version 130
in vec2 place;
in float strength;
uniform sampler2D p3d_Texture0;
out vec4 pixel;
void main() {
    pixel = vec4(0.0, 0.0, 0.0, strength * texture(p3d_Texture0, place).r);
}
"""

SKY_VERTEX = """#version 130
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 p3d_Vertex;
out vec3 towards;
void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * p3d_Vertex;
    towards = p3d_Vertex.xyz;
}
"""
SKY_FRAGMENT = """#version 130
in vec3 towards;
uniform vec4 fog;
uniform float fog_depth_m;
uniform vec3 zenith;
uniform vec3 horizon;
uniform vec3 cloud;
uniform sampler2D p3d_Texture0;
out vec4 pixel;
void main() {
    float up = max(towards.z, 0.0);
    vec3 clear = mix(horizon, zenith, sqrt(up));
    float cover = texture(p3d_Texture0, 0.12 * towards.xy / (up + 0.12)).r;
    vec3 sky = mix(clear, cloud, cover * smoothstep(0.02, 0.25, up));
    pixel = vec4(mix(fog.rgb, sky, exp(-fog.a * fog_depth_m / (up + 0.01))), 1.0);
}
"""

HILL_FRAGMENT = """#version 130
in vec3 towards;
uniform vec4 fog;
uniform float hill_distance_m;
uniform vec3 hill;
out vec4 pixel;
void main() {
    pixel = vec4(mix(fog.rgb, hill, exp(-fog.a * hill_distance_m)), 1.0);
}
"""
